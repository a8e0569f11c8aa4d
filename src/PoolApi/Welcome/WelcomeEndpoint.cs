using Microsoft.Net.Http.Headers;
using PoolApi.Auth;
using PoolApi.Management;

namespace PoolApi.Welcome;

/// <summary>GET / on the API port: a page with what the service is, where its documents are, and which commands to try.</summary>
internal static class WelcomeEndpoint
{
    // The page has one style, and nothing else. A test compares the hash.
    private const string Policy =
        "default-src 'none'; style-src 'sha256-GnF9g5PcGZdx5mxKgIE80NKWyaJMC6r2XaH41TJ4+xg='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void MapWelcome(this IEndpointRouteBuilder endpoints, bool diagnostics, bool jobs, bool keys) => endpoints
        .MapGet("/", (HttpContext context, ServerUrls urls) =>
        {
            string api = $"{context.Request.Scheme}://{context.Request.Host}{context.Request.PathBase}";
            BindingAddress address = BindingAddress.Parse(urls.Management[0]);
            // A management port on every interface is reachable under the host of this request.
            string host = ListenHost.IsWildcard(address.Host) ? context.Request.Host.Host : address.Host;
            string management = $"http://{host}:{address.Port}";
            // Single quotes keep a shell from expanding variables. The reader of the page replaces YOUR-KEY.
            string curl = keys ? $"curl -H '{ApiKeys.Header}: YOUR-KEY'" : "curl";
            context.Response.Headers.Append(HeaderNames.Vary, HeaderNames.Accept);
            bool html = context.Request.GetTypedHeaders().Accept.Any(
                static a => a.Quality is not 0 && a.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase));
            if (html) context.Response.Headers.ContentSecurityPolicy = Policy;
            return html
                ? TypedResults.Content(Page(curl, api, management, diagnostics, jobs, DocumentFrom(context.Request)), "text/html; charset=utf-8")
                : TypedResults.Content(Text(curl, api, management, diagnostics, jobs), "text/plain; charset=utf-8");
        })
        .WithMetadata(new YieldsToManagementMetadata())
        .ExcludeFromDescription();

    /// <summary>
    /// The relative URL of the document: a proxy may strip a prefix. With a <c>PathBase</c>, the page's URL may also lack the slash at its end.
    /// </summary>
    private static string DocumentFrom(HttpRequest request)
    {
        string path = (request.PathBase + request.Path).Value!;
        return path[(path.LastIndexOf('/') + 1)..] is { Length: > 0 } last ? $"{last}/openapi/v1.json" : "openapi/v1.json";
    }

    private static string Text(string curl, string api, string management, bool diagnostics, bool jobs) => $"""
        PoolApi: HTTP work on its own fixed threads, with a bounded queue in front.

        Try it:
          {curl} --data-binary @photo.jpg '{api}/v1/thumbnails?width=320' -o thumbnail.webp
          {curl} --json '{"{"}"password":"correct horse"{"}"}' {api}/v1/password-hashes
        {(diagnostics ? $"  {curl} -i '{api}/v1/diagnostics/sleep?ms=500'\n" : "")}{(jobs ? $"  {curl} -i -H 'Prefer: respond-async' --data-binary @photo.jpg '{api}/v1/thumbnails?width=320'\n" : "")}
        Look around:
          {api}/openapi/v1.json   every route, parameter and problem
          {management}/   the workers, live
          {management}/metrics   for Prometheus

        """;

    private static string Page(string curl, string api, string management, bool diagnostics, bool jobs, string document)
    {
        static string Encode(string text) => System.Net.WebUtility.HtmlEncode(text);
        return $$"""
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>PoolApi</title>
            <style>
            :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
            body { max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
            pre { padding: .8rem 1rem; border: 1px solid #8886; border-radius: .4rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
            </style>
            <h1>PoolApi</h1>
            <p>HTTP work on its own fixed threads, with a bounded queue in front.</p>
            <h2>Try it</h2>
            <pre>{{Encode(curl)}} --data-binary @photo.jpg '{{Encode(api)}}/v1/thumbnails?width=320' -o thumbnail.webp</pre>
            <pre>{{Encode(curl)}} --json '{"password":"correct horse"}' {{Encode(api)}}/v1/password-hashes</pre>
            {{(diagnostics ? $"<pre>{Encode(curl)} -i '{Encode(api)}/v1/diagnostics/sleep?ms=500'</pre>" : "")}}
            {{(jobs ? $"<pre>{Encode(curl)} -i -H 'Prefer: respond-async' --data-binary @photo.jpg '{Encode(api)}/v1/thumbnails?width=320'</pre>" : "")}}
            <h2>Look around</h2>
            <ul>
            <li><a href="{{Encode(document)}}">/openapi/v1.json</a>: every route, parameter and problem</li>
            <li><a href="{{Encode(management)}}/">{{Encode(management)}}/</a>: the workers, live</li>
            <li><a href="{{Encode(management)}}/metrics">{{Encode(management)}}/metrics</a>: for Prometheus</li>
            </ul>
            </html>
            """;
    }
}
