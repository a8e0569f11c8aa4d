namespace PoolApi.Dashboard;

/// <summary>A page that shows every worker, live. It asks <c>/v1/workers</c> while somebody looks at it, and nothing else.</summary>
internal static class DashboardEndpoints
{
    public static void MapDashboard(this IEndpointRouteBuilder endpoints)
    {
        MapFile(endpoints, "/", "dashboard.html", "text/html; charset=utf-8");
        MapFile(endpoints, "/dashboard.css", "dashboard.css", "text/css; charset=utf-8");
        MapFile(endpoints, "/dashboard.js", "dashboard.js", "text/javascript; charset=utf-8");
    }

    private static void MapFile(IEndpointRouteBuilder endpoints, string pattern, string file, string contentType)
    {
        byte[] content = Load(file);
        endpoints.MapGet(pattern, (HttpContext context) =>
        {
            IHeaderDictionary headers = context.Response.Headers;
            headers.CacheControl = "no-cache";
            headers.ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'";
            headers.XContentTypeOptions = "nosniff";
            return TypedResults.Bytes(content, contentType);
        });
    }

    private static byte[] Load(string file)
    {
        using Stream stream = typeof(DashboardEndpoints).Assembly.GetManifestResourceStream(file)
            ?? throw new InvalidOperationException($"The program was built without {file}.");
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        return content;
    }
}
