using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using PoolApi.Dashboard.Streams;

namespace PoolApi.Dashboard.Pages;

/// <summary>Maps the pages and their files. All links are relative, so that the pages work under any path.</summary>
internal static class PageEndpoints
{
    // No resources of other hosts, no inline scripts or styles, and no framing, because the pages have buttons that change things.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    public static void Map(RouteGroupBuilder group)
    {
        // The files are read and hashed for the first request of a page: a start needs neither them nor OpenSSL.
        MapPage("", "pools.html");
        MapPage("/jobs", "jobs.html");
        MapPage("/job", "job.html");
        group.MapMethods("/assets/{name}", ReadMethods.All, IResult (string name, HttpContext context) =>
        {
            if (!AssetFiles.Own.ByHashedName.TryGetValue(name, out Asset? asset)) return TypedResults.NotFound();
            return Response(context, asset, "private, max-age=31536000, immutable");
        });

        void MapPage(string route, string page) => group.MapMethods(route, ReadMethods.All, IResult (HttpContext context) =>
        {
            // Relative links start at the page's folder: without the trailing slash they would start one level above.
            string path = context.Request.Path.Value ?? "";
            string last = path[(path.LastIndexOf('/') + 1)..];
            bool isFolder = last.Length == 0;
            if (route.Length == 0 ? !isFolder : isFolder)
            {
                string to = route.Length == 0 ? $"{last}/" : $"..{route}";
                return TypedResults.Redirect(to + context.Request.QueryString.ToUriComponent(), permanent: false, preserveMethod: true);
            }
            return Response(context, AssetFiles.Own.Page(page), "no-cache");
        });
    }

    private static FileContentHttpResult Response(HttpContext context, Asset asset, string caching)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.CacheControl = caching;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "same-origin";
        return TypedResults.Bytes(asset.Content, asset.ContentType, entityTag: EntityTagHeaderValue.Parse(asset.ETag));
    }
}
