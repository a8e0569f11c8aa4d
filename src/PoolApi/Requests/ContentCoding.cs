using Microsoft.Net.Http.Headers;
using PoolApi.Problems;

namespace PoolApi.Requests;

/// <summary>
/// Refuses bodies with a Content-Encoding. They are not decompressed: the budget of bytes would count the compressed size, and memory would
/// hold the other.
/// </summary>
internal static class ContentCoding
{
    private const string Identity = "identity";

    /// <summary>415 for a coded body, with the codings that are accepted in Accept-Encoding (RFC 9110, 12.5.3).</summary>
    public static IResult? Refuse(HttpContext context)
    {
        if (!context.Request.Headers.ContainsKey(HeaderNames.ContentEncoding)) return null;
        string[] codings = context.Request.Headers.GetCommaSeparatedValues(HeaderNames.ContentEncoding);
        if (Array.TrueForAll(codings, static c => c.Length == 0 || c.Equals(Identity, StringComparison.OrdinalIgnoreCase))) return null;
        context.Response.Headers.AcceptEncoding = Identity;
        return Problem.OfField(
            context, ServiceProblems.UnsupportedMedia, HeaderNames.ContentEncoding,
            "Content-Encoding must be identity, or left out: bodies are not decompressed. Send the body as it is, without a content coding such as gzip.");
    }
}
