using System.Buffers.Binary;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>What two requests under the same idempotency key must have in common to be the same request.</summary>
internal static class RequestFingerprint
{
    /// <summary>
    /// The SHA-256 of method, path without the prefix of a proxy (<see cref="HttpRequest.PathBase"/>), query string, content type, body, and
    /// the headers and the user that an endpoint stores. Of the user only each identity's authentication type, name and id: a renewed token has
    /// other claims. The length of each part is hashed before it, so that no two splits of the same bytes are equal. A missing part differs from
    /// an empty one.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="body">Its body, whole.</param>
    /// <param name="headers">The headers that belong to the request, in a fixed order. Those that it does not have change nothing.</param>
    /// <param name="user">The user, if it belongs to the request.</param>
    /// <returns>32 bytes.</returns>
    public static byte[] Of(HttpRequest request, ReadOnlySpan<byte> body, IEnumerable<string> headers, ClaimsPrincipal? user = null)
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
        if (user is not null) Append(hash, user);
        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, ClaimsPrincipal user)
    {
        Append(hash, "user"); // no header has this name in lower case
        foreach (ClaimsIdentity identity in user.Identities.Where(static i => i.IsAuthenticated))
        {
            Append(hash, identity.AuthenticationType);
            Append(hash, identity.Name);
            Append(hash, (identity.FindFirst(ClaimTypes.NameIdentifier) ?? identity.FindFirst("sub"))?.Value);
        }
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
