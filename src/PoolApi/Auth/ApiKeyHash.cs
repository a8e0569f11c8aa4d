using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace PoolApi.Auth;

/// <summary>A key as it is kept: by its SHA-256 hash, written <c>sha256:</c> and 64 hexadecimal digits.</summary>
/// <remarks>
/// A key that <see cref="New"/> makes has 256 random bits, so it cannot be guessed from its hash and a slow hash would gain nothing.
/// </remarks>
internal static class ApiKeyHash
{
    public const int MinLength = 16;
    public const int MaxLength = 256;
    private const string Prefix = "sha256:";
    private const string KeyPrefix = "pk_"; // so that scanners for leaked secrets can find one

    /// <summary>Makes a key.</summary>
    public static string New() => KeyPrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Whether a text can be a key: of a valid length, of visible ASCII characters, which a header carries unchanged, and no hash.</summary>
    public static bool IsKey([NotNullWhen(true)] string? text) =>
        text is { Length: >= MinLength and <= MaxLength } && text.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0
        && !text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>The hash of a key.</summary>
    public static byte[] Of(string key) => SHA256.HashData(Encoding.ASCII.GetBytes(key));

    /// <summary>The hash of a key, into a span of <see cref="SHA256.HashSizeInBytes"/>.</summary>
    public static void Of(string key, Span<byte> hash)
    {
        Span<byte> bytes = stackalloc byte[MaxLength];
        SHA256.HashData(bytes[..Encoding.ASCII.GetBytes(key, bytes)], hash);
    }

    /// <summary>A hash as it is written in the settings.</summary>
    public static string Write(byte[] hash) => Prefix + Convert.ToHexStringLower(hash);

    /// <summary>Reads a written hash.</summary>
    public static bool TryRead(string? text, [NotNullWhen(true)] out byte[]? hash)
    {
        hash = null;
        if (text is null || text.Length != Prefix.Length + 2 * SHA256.HashSizeInBytes || !text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) return false;
        var bytes = new byte[SHA256.HashSizeInBytes];
        if (Convert.FromHexString(text.AsSpan(Prefix.Length), bytes, out _, out int written) != System.Buffers.OperationStatus.Done || written != bytes.Length) return false;
        hash = bytes;
        return true;
    }
}
