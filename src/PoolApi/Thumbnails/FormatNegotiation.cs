using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace PoolApi.Thumbnails;

/// <summary>Chooses the format of a thumbnail by the client's header Accept (RFC 9110, 12.5.1).</summary>
internal static class FormatNegotiation
{
    // The first is the default, and goes before the others where a wildcard admits them alike.
    private static readonly (ThumbnailFormat Format, MediaTypeHeaderValue[] Names)[] Formats =
    [
        (ThumbnailFormat.Webp, [new("image/webp")]),
        (ThumbnailFormat.Jpeg, [new("image/jpeg"), new("image/jpg")]),
        (ThumbnailFormat.Png, [new("image/png")]),
        (ThumbnailFormat.Avif, [new("image/avif")]),
    ];

    /// <summary>
    /// The format of the highest quality. At the same quality a format that is named goes before one that a wildcard admits, and among
    /// named formats the client's order holds.
    /// </summary>
    /// <remarks>
    /// A header without any image type, such as <c>application/json</c>, is about the problem details and the job, not about the
    /// thumbnail: the default. So is a header that cannot be read.
    /// </remarks>
    /// <param name="accept">The header.</param>
    /// <returns>The format; <see langword="null"/> if the header speaks of images and admits no format that can be made.</returns>
    public static ThumbnailFormat? Choose(StringValues accept)
    {
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept!, out IList<MediaTypeHeaderValue>? read)) return Formats[0].Format;
        // Quality first, then specificity. The sort is stable: among equals the client's order holds.
        MediaTypeHeaderValue[] ranges = [.. read.OrderByDescending(static range => range, MediaTypeHeaderValueComparer.QualityComparer)];
        // Of a format, the most specific range decides: 'image/*, image/avif;q=0' admits all but AVIF.
        MediaTypeHeaderValue?[] deciding = [.. Formats.Select(format =>
            ranges.Where(range => Array.Exists(format.Names, name => name.IsSubsetOf(range))).MaxBy(Specificity))];
        foreach (MediaTypeHeaderValue range in ranges)
        {
            if (range.Quality == 0) break; // and so are all that follow
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
