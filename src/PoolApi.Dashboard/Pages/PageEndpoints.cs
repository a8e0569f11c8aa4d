using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using PoolApi.Dashboard.Streams;

namespace PoolApi.Dashboard.Pages;

/// <summary>The pages and their files. Every link in them is relative, so that they work below any path.</summary>
internal static class PageEndpoints
{
    // Nothing of another host, nothing inline, and nobody frames a page with buttons that change something.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    public static void Map(RouteGroupBuilder group)
    {
        AssetFiles files = AssetFiles.Own;
        MapPage("", files.Page("pools.html"));
        MapPage("/jobs", files.Page("jobs.html"));
        MapPage("/job", files.Page("job.html"));
        group.MapMethods("/assets/{name}", Reading.Methods, IResult (string name, HttpContext context) =>
        {
            if (!files.ByHashedName.TryGetValue(name, out Asset? asset)) return TypedResults.NotFound();
            return Answer(context, asset, "private, max-age=31536000, immutable");
        });

        void MapPage(string route, Asset page) => group.MapMethods(route, Reading.Methods, IResult (HttpContext context) =>
        {
            // A page's links start at its folder: without the slash of the first page they would start one folder above.
            string path = context.Request.Path.Value ?? "";
            string last = path[(path.LastIndexOf('/') + 1)..];
            bool isFolder = last.Length == 0;
            if (route.Length == 0 ? !isFolder : isFolder)
            {
                string to = route.Length == 0 ? $"{last}/" : $"..{route}";
                return TypedResults.Redirect(to + context.Request.QueryString.ToUriComponent(), permanent: false, preserveMethod: true);
            }
            return Answer(context, page, "no-cache");
        });
    }

    private static FileContentHttpResult Answer(HttpContext context, Asset asset, string caching)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.CacheControl = caching;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "same-origin";
        return TypedResults.Bytes(asset.Content, asset.ContentType, entityTag: EntityTagHeaderValue.Parse(asset.ETag));
    }
}
