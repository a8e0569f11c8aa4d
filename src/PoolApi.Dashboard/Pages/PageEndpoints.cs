namespace PoolApi.Dashboard.Pages;

/// <summary>The pages.</summary>
internal static class PageEndpoints
{
    public static void Map(RouteGroupBuilder group)
    {
        byte[] page = Load("pools.html");
        group.MapGet("", (HttpContext context) =>
        {
            context.Response.Headers.ContentSecurityPolicy = "default-src 'none'";
            return TypedResults.Bytes(page, "text/html; charset=utf-8");
        });
    }

    private static byte[] Load(string file)
    {
        using Stream stream = typeof(PageEndpoints).Assembly.GetManifestResourceStream(file)
            ?? throw new InvalidOperationException($"The package was built without {file}.");
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
