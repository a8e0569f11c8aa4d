using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace PoolApi.Passwords;

/// <summary>
/// An Argon2id hash that came as a PHC string (<c>$argon2id$v=19$m=19456,t=2,p=1$salt$tag</c>) and may be verified: its cost, which the
/// sender chose, is within what this service spends on one request. Parsing is cheap, verifying is not.
/// </summary>
public sealed class Argon2Hash
{
    /// <summary>The most memory a hash may cost to verify, in KiB: 64 MiB, what libsodium calls interactive use.</summary>
    public const int MaxMemoryKiB = 65536;

    /// <summary>The most passes a hash may cost to verify.</summary>
    public const int MaxPasses = 10;

    /// <summary>
    /// The most work (memory in KiB × passes) a hash may cost to verify: about seven times a new hash. All of OWASP's settings, and
    /// libsodium's interactive one, are below it.
    /// </summary>
    public const int MaxWork = 4 * MaxMemoryKiB;

    /// <summary>The length of a salt, new or received: libsodium takes no other.</summary>
    public const int SaltBytes = 16;

    /// <summary>The length of a new hash's tag.</summary>
    public const int NewTagBytes = 32;

    private const int MinMemoryKiB = 8;
    private const int MinTagBytes = 16;
    private const int MaxTagBytes = 64;

    // A longer string is refused without parsing. The longest valid string is well below this length.
    private const int MaxLength = 192;

    internal Argon2Hash(int memoryKiB, int passes, ReadOnlyMemory<byte> salt, ReadOnlyMemory<byte> tag)
    {
        MemoryKiB = memoryKiB;
        Passes = passes;
        Salt = salt;
        Tag = tag;
    }

    /// <summary>The memory it costs, in KiB.</summary>
    public int MemoryKiB { get; }

    /// <summary>The passes over that memory.</summary>
    public int Passes { get; }

    /// <summary>The salt.</summary>
    public ReadOnlyMemory<byte> Salt { get; }

    /// <summary>The hash itself.</summary>
    public ReadOnlyMemory<byte> Tag { get; }

    /// <summary>
    /// Reads the PHC string form, strictly: what this accepts is exactly what <see cref="ToString"/> writes. If it refuses, the fault is
    /// a sentence for the client that says what may be there; it repeats nothing of the hash.
    /// </summary>
    public static bool TryParse(string encoded, [NotNullWhen(true)] out Argon2Hash? hash, [NotNullWhen(false)] out string? fault)
    {
        ArgumentNullException.ThrowIfNull(encoded);
        fault = Read(encoded, out hash);
        return fault is null && hash is not null;
    }

    /// <summary>The PHC string form.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"$argon2id$v=19$m={MemoryKiB},t={Passes},p=1${Unpadded(Salt.Span)}${Unpadded(Tag.Span)}");

    private static string? Read(string encoded, out Argon2Hash? hash)
    {
        hash = null;
        if (encoded.Length > MaxLength)
            return $"the hash is too long; at most {MaxLength} characters are accepted";

        var parts = encoded.Split('$');
        if (parts[0].Length != 0 || parts.Length < 2)
            return "the hash is not in PHC string form; it must be $argon2id$v=19$m=…,t=…,p=1$salt$tag";
        if (parts[1] != "argon2id")
            return "the hash's scheme is not accepted; it must be argon2id";
        if (parts.Length != 6)
            return "the hash does not have its five parts; it must be $argon2id$v=19$m=…,t=…,p=1$salt$tag";
        if (parts[2] != "v=19")
            return "the hash's version is not accepted; it must be v=19";

        var settings = parts[3].Split(',');
        if (settings.Length != 3
            || !TryNumber(settings[0], "m=", out var memory)
            || !TryNumber(settings[1], "t=", out var passes)
            || !TryNumber(settings[2], "p=", out var lanes))
        {
            return "the hash's parameters cannot be read; they must be m=…,t=…,p=1, in this order, as plain decimal numbers";
        }

        if (memory is < MinMemoryKiB or > MaxMemoryKiB)
            return $"the hash's m is out of range; it must be {MinMemoryKiB} to {MaxMemoryKiB} (KiB)";
        if (passes is < 1 or > MaxPasses)
            return $"the hash's t is out of range; it must be 1 to {MaxPasses}";
        if (lanes != 1)
            return "the hash's p is not accepted; it must be 1";
        if (memory * passes > MaxWork)
            return $"the hash costs too much to verify; m × t must be at most {MaxWork}";

        if (!TryUnpadded(parts[4], out var salt) || !TryUnpadded(parts[5], out var tag))
            return "the hash's salt or tag is not base64; it must be standard base64 without padding and without stray bits";
        if (salt.Length != SaltBytes)
            return $"the hash's salt has the wrong length; it must be {SaltBytes} bytes";
        if (tag.Length is < MinTagBytes or > MaxTagBytes)
            return $"the hash's tag has the wrong length; it must be {MinTagBytes} to {MaxTagBytes} bytes";

        hash = new Argon2Hash((int)memory, (int)passes, salt, tag);
        return null;
    }

    // Digits only and no leading zero, so that a value has one spelling. A number beyond the type is beyond every limit too.
    private static bool TryNumber(string text, string name, out long value)
    {
        value = 0;
        if (!text.StartsWith(name, StringComparison.Ordinal))
            return false;

        var digits = text.AsSpan(name.Length);
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange('0', '9') || (digits.Length > 1 && digits[0] == '0'))
            return false;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value))
            value = long.MaxValue;
        return true;
    }

    private static string Unpadded(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static bool TryUnpadded(string text, out byte[] bytes)
    {
        var buffer = new byte[MaxLength];
        var padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        bytes = Convert.TryFromBase64String(padded, buffer, out var length) ? buffer[..length] : [];

        // Padding, white space or non-zero spare bits would decode as well, but not to what was written.
        return bytes.Length > 0 && Unpadded(bytes) == text;
    }
}
