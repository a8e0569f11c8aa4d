using System.Buffers.Text;
using System.Security.Cryptography;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>The position after a page of the list, as an opaque token that clients send back.</summary>
/// <remarks>
/// It holds a byte that names its format, the id of the last job, and a few bytes of their hash. So a token that was cut, mistyped or made up
/// is refused, and not mistaken for another position. It is no secret.
/// </remarks>
internal static class JobCursor
{
    private const byte Form = 1;
    private const int IdEnd = 1 + 16;
    private const int Length = IdEnd + 4;

    /// <summary>The cursor after a job.</summary>
    public static string After(Guid id)
    {
        Span<byte> bytes = stackalloc byte[Length];
        bytes[0] = Form;
        id.TryWriteBytes(bytes[1..IdEnd], bigEndian: true, out _);
        WriteCheck(bytes);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>The job that it is after.</summary>
    /// <returns><see langword="null"/> if it is no cursor.</returns>
    public static Guid? Parse(string text)
    {
        // The decoder throws at characters outside of its alphabet, and skips white space.
        if (text.Length != Base64Url.GetEncodedLength(Length) || !Base64Url.IsValid(text, out int length) || length != Length) return null;
        Span<byte> bytes = stackalloc byte[Length];
        Base64Url.DecodeFromChars(text, bytes);
        if (bytes[0] != Form) return null;
        Span<byte> check = stackalloc byte[Length];
        bytes.CopyTo(check);
        WriteCheck(check);
        return check.SequenceEqual(bytes) ? new Guid(bytes[1..IdEnd], bigEndian: true) : null;
    }

    private static void WriteCheck(Span<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..IdEnd], hash);
        hash[..(Length - IdEnd)].CopyTo(bytes[IdEnd..]);
    }
}
