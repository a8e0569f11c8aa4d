namespace PoolApi.Dashboard.Streams;

/// <summary>The methods of routes that only read: GET together with HEAD (RFC 9110, section 9.1).</summary>
internal static class ReadMethods
{
    public static readonly string[] All = [HttpMethods.Get, HttpMethods.Head];
}
