namespace PoolApi.Requests;

/// <summary>Answers <c>OPTIONS</c> with 204 and the header <c>Allow</c>, on every route and for <c>*</c>.</summary>
/// <remarks>
/// Routing knows the methods of a route. It answers a method that the route does not have with an endpoint of its own: 405 and <c>Allow</c>.
/// For OPTIONS, this middleware changes the 405 to 204. OPTIONS needs no key: the methods of a route are no secret, and a browser's
/// preflight has no key.
/// </remarks>
internal static class OptionsResponses
{
    private const string WholeServer = "DELETE, GET, HEAD, OPTIONS, POST";

    /// <summary>Call after the status code pages, which would give the 405 a body, and before the check of keys.</summary>
    public static void UseOptionsResponses(this WebApplication app) => app.Use(static rest => context =>
        HttpMethods.IsOptions(context.Request.Method) ? AnswerAsync(context, rest) : rest(context));

    private static async Task AnswerAsync(HttpContext context, RequestDelegate rest)
    {
        HttpResponse response = context.Response;
        // The server gives OPTIONS * an empty path.
        if (!context.Request.Path.HasValue)
        {
            response.StatusCode = StatusCodes.Status204NoContent;
            response.Headers.Allow = WholeServer;
            return;
        }
        await rest(context);
        if (response.StatusCode != StatusCodes.Status405MethodNotAllowed || response.HasStarted) return;
        response.StatusCode = StatusCodes.Status204NoContent;
        response.Headers.Allow = WithOptions(response.Headers.Allow.ToString());
    }

    private static string WithOptions(string methods) =>
        string.Join(", ", methods.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Append(HttpMethods.Options).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
}
