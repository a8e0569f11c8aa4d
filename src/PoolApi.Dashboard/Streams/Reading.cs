namespace PoolApi.Dashboard.Streams;

/// <summary>Who may read something may also ask for no more than its headers (RFC 9110, 9.1).</summary>
internal static class Reading
{
    public static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];
}
