using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>What two requests under the same idempotency key must have in common to be the same request.</summary>
internal static class RequestFingerprint
{
    /// <summary>
    /// The SHA-256 of method, path without the prefix of a proxy (<see cref="HttpRequest.PathBase"/>), query string, content type, body, and
    /// the headers that an endpoint keeps. Each goes in with its length before it, so that no part can borrow from the next; a part that is
    /// not there differs from an empty one.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="body">Its body, whole.</param>
    /// <param name="headers">The headers that belong to the request, in a fixed order. Those that it does not have change nothing.</param>
    /// <returns>32 bytes.</returns>
    public static byte[] Of(HttpRequest request, ReadOnlySpan<byte> body, IEnumerable<string> headers)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, request.Method);
        Append(hash, request.Path.Value ?? "");
        Append(hash, request.QueryString.Value ?? "");
        Append(hash, request.ContentType);
        Append(hash, body);
        foreach (string name in headers)
        {
            if (request.Headers.TryGetValue(name, out StringValues values) && values.Count > 0) Append(hash, name.ToUpperInvariant(), values);
        }
        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, string? text)
    {
        if (text is null) AppendLength(hash, -1);
        else Append(hash, Encoding.UTF8.GetBytes(text));
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        AppendLength(hash, part.Length);
        hash.AppendData(part);
    }

    private static void Append(IncrementalHash hash, string name, StringValues values)
    {
        Append(hash, name);
        AppendLength(hash, values.Count);
        foreach (string? value in values) Append(hash, value);
    }

    private static void AppendLength(IncrementalHash hash, int length)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, length);
        hash.AppendData(bytes);
    }
}
