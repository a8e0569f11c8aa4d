namespace PoolApi.Dashboard.Streams;

/// <summary>Maps GET together with HEAD (RFC 9110, section 9.1).</summary>
internal static class Reading
{
    public static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];
}
