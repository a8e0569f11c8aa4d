using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;

namespace PoolApi.Passwords;

/// <summary>
/// Hashes and verifies passwords with Argon2id, at the cost that OWASP's Password Storage Cheat Sheet recommends (19 MiB, 2 passes,
/// 1 lane). Takes tens of milliseconds and 19 MiB by design; it cannot be interrupted. Passwords are compared byte by byte: the same
/// text in another Unicode normalisation form is another password.
/// </summary>
public static class PasswordHasher
{
    /// <summary>The memory of a new hash, in KiB.</summary>
    public const int MemoryKiB = 19456;

    /// <summary>The passes over the memory of a new hash.</summary>
    public const int Passes = 2;

    /// <summary>The longest password, in bytes of UTF-8. Far above any passphrase; below what would be an upload.</summary>
    public const int MaxPasswordBytes = 4096;

    // Invalid Unicode throws. Replacement characters would make two passwords equal that differ only in their invalid parts.
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Returns, without hashing, whether a text can be a password. If it cannot, the fault says why.</summary>
    public static bool IsAcceptable(string password, out string? fault)
    {
        fault = FaultIn(password);
        return fault is null;
    }

    /// <summary>Hashes a password with a fresh salt, into the PHC string form.</summary>
    public static string Hash(string password)
    {
        using var bytes = new Utf8Password(password);
        return Hash(bytes.Span);
    }

    /// <summary>Hashes a password with a fresh salt, into the PHC string form.</summary>
    public static string Hash(ReadOnlySpan<byte> password)
    {
        CheckLength(password);
        Span<byte> salt = stackalloc byte[Argon2Hash.SaltBytes];
        RandomNumberGenerator.Fill(salt);

        Span<byte> tag = stackalloc byte[Argon2Hash.NewTagBytes];
        Derive(password, salt, MemoryKiB, Passes, tag);
        return new Argon2Hash(MemoryKiB, Passes, salt.ToArray(), tag.ToArray()).ToString();
    }

    /// <summary>Computes the hash again at the cost it states, and compares in constant time.</summary>
    public static bool Verify(string password, Argon2Hash hash)
    {
        using var bytes = new Utf8Password(password);
        return Verify(bytes.Span, hash);
    }

    /// <summary>Computes the hash again at the cost it states, and compares in constant time.</summary>
    public static bool Verify(ReadOnlySpan<byte> password, Argon2Hash hash)
    {
        ArgumentNullException.ThrowIfNull(hash);
        CheckLength(password);
        Span<byte> tag = stackalloc byte[hash.Tag.Length];
        Derive(password, hash.Salt.Span, hash.MemoryKiB, hash.Passes, tag);
        return CryptographicOperations.FixedTimeEquals(tag, hash.Tag.Span);
    }

    private static void Derive(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int memoryKiB, int passes, Span<byte> tag)
    {
        var parameters = new Argon2Parameters { DegreeOfParallelism = 1, MemorySize = memoryKiB, NumberOfPasses = passes };
        PasswordBasedKeyDerivationAlgorithm.Argon2id(in parameters).DeriveBytes(password, salt, tag);
    }

    private static string? FaultIn(string password)
    {
        ArgumentNullException.ThrowIfNull(password);
        if (password.Length == 0)
            return "the password must not be empty";
        try
        {
            return Utf8.GetByteCount(password) > MaxPasswordBytes
                ? $"the password is too long; at most {MaxPasswordBytes} bytes of UTF-8 are accepted"
                : null;
        }
        catch (EncoderFallbackException)
        {
            return "the password is not valid Unicode text";
        }
    }

    private static void CheckLength(ReadOnlySpan<byte> password)
    {
        if (password.Length is 0 or > MaxPasswordBytes)
            throw new ArgumentException($"a password has 1 to {MaxPasswordBytes} bytes", nameof(password));
    }

    /// <summary>A password's bytes, wiped when done. The string they came from is the caller's, and cannot be wiped.</summary>
    private readonly ref struct Utf8Password : IDisposable
    {
        private readonly byte[] _rented;
        private readonly int _length;

        public Utf8Password(string password)
        {
            if (FaultIn(password) is { } fault)
                throw new ArgumentException(fault, nameof(password));
            _rented = ArrayPool<byte>.Shared.Rent(MaxPasswordBytes);
            _length = Utf8.GetBytes(password, _rented);
        }

        public ReadOnlySpan<byte> Span => _rented.AsSpan(0, _length);

        public void Dispose()
        {
            CryptographicOperations.ZeroMemory(_rented.AsSpan(0, _length));
            ArrayPool<byte>.Shared.Return(_rented);
        }
    }
}
