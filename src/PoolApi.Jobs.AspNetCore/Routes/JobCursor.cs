using System.Buffers.Text;
using System.Security.Cryptography;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>Where a page of the list ends, as a word that clients hand back and need not understand.</summary>
/// <remarks>
/// It holds the id of the last job, after a byte that names this form of it and before a few bytes of its hash: a cursor that
/// was cut, mistyped or made up is recognised, and not taken for another place in the list. It is no secret.
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
        // The decoder throws at what is not of its alphabet, and passes over blanks.
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
