using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace PoolApi.Thumbnails;

/// <summary>Chooses the format of a thumbnail by the request's header Accept (RFC 9110, 12.5.1). Stateless.</summary>
internal static class FormatNegotiation
{
    // The first is the default. It is also preferred where a wildcard accepts several.
    private static readonly (ThumbnailFormat Format, MediaTypeHeaderValue[] Names)[] Formats =
    [
        (ThumbnailFormat.Webp, [new("image/webp")]),
        (ThumbnailFormat.Jpeg, [new("image/jpeg"), new("image/jpg")]),
        (ThumbnailFormat.Png, [new("image/png")]),
        (ThumbnailFormat.Avif, [new("image/avif")]),
    ];

    /// <summary>
    /// The format with the highest quality. At the same quality a named format is preferred to one that a wildcard accepts, and among named formats the
    /// client's order decides.
    /// </summary>
    /// <remarks>
    /// A header without any image type, such as <c>application/json</c>, concerns problem details and jobs, so the default is chosen. The same for a
    /// header that cannot be parsed.
    /// </remarks>
    /// <param name="accept">The header.</param>
    /// <returns>The format; <see langword="null"/> if the header names image types and accepts none of the formats.</returns>
    public static ThumbnailFormat? Choose(StringValues accept)
    {
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept!, out IList<MediaTypeHeaderValue>? read)) return Formats[0].Format;
        // Quality first, then specificity. The sort is stable, so the client's order decides among equals.
        MediaTypeHeaderValue[] ranges = [.. read.OrderByDescending(static range => range, MediaTypeHeaderValueComparer.QualityComparer)];
        // The most specific range decides for a format: 'image/*, image/avif;q=0' accepts all but AVIF.
        MediaTypeHeaderValue?[] deciding = [.. Formats.Select(format =>
            ranges.Where(range => Array.Exists(format.Names, name => name.IsSubsetOf(range))).MaxBy(Specificity))];
        foreach (MediaTypeHeaderValue range in ranges)
        {
            if (range.Quality == 0) break; // the following ones have quality 0 too
            int format = Array.IndexOf(deciding, range);
            if (format >= 0) return Formats[format].Format;
        }
        return Array.Exists(ranges, static range => range.MatchesAllTypes || range.Type.Equals("image", StringComparison.OrdinalIgnoreCase))
            ? null
            : Formats[0].Format;
    }

    private static int Specificity(MediaTypeHeaderValue range) =>
        range.MatchesAllTypes ? 0 : range.MatchesAllSubTypes ? 1 : 2;
}
