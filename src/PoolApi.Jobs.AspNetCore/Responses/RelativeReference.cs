namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>A link as a path relative to the URL of the request (RFC 3986, 5.2).</summary>
/// <remarks>
/// Behind a proxy that strips a prefix, the service does not know the URL that the client asked for. A relative path needs no more than
/// the segments that both share, so it is right under every prefix.
/// </remarks>
internal static class RelativeReference
{
    /// <summary>The reference that leads a client from the path that it asked for to another path of this service.</summary>
    /// <param name="from">The path of the request. A slash at its end counts: <c>/v1/jobs/</c> is one level below <c>/v1/jobs</c>.</param>
    /// <param name="to">An absolute path, which may have a query. If it ends with a slash, the reference is to be continued, and may be empty.</param>
    public static string Of(string? from, string to)
    {
        // A client drops what follows the last slash before it resolves a reference.
        string[] here = from?.Split('/') is { Length: > 2 } segments ? segments[1..^1] : [];
        string[] there = to.Split('/')[1..];
        int shared = 0;
        while (shared < here.Length && shared < there.Length - 1 && here[shared].Equals(there[shared], StringComparison.OrdinalIgnoreCase)) shared++;
        return string.Concat(Enumerable.Repeat("../", here.Length - shared)) + string.Join('/', there[shared..]);
    }
}
