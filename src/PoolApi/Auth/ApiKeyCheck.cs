using PoolApi.AspNetCore.Endpoints;
using PoolApi.Problems;

namespace PoolApi.Auth;

/// <summary>
/// Refuses requests without a valid key, before their bodies are read. A key is needed on routes that run on the pool, and on routes marked
/// with <see cref="NeedsKeyMetadata"/>.
/// </summary>
internal static class ApiKeyCheck
{
    /// <summary>Adds the check. Call it after routing. The endpoint's metadata decides, so that no route for work can be forgotten.</summary>
    public static void UseApiKeys(this WebApplication app, ApiKeyRing keys) =>
        app.Use((HttpContext context, RequestDelegate next) =>
        {
            if (context.GetEndpoint()?.Metadata is not { } metadata) return next(context);
            bool isWork = metadata.GetMetadata<RunOnPoolMetadata>() is not null;
            if (!isWork && metadata.GetMetadata<NeedsKeyMetadata>() is null) return next(context);
            if (keys.Now.ClientOf(context.Request) is not { } client) return RefuseUnknown(context);
            bool isRead = !isWork && (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method));
            if (!isRead && !client.MayWork)
                return Refuse(context, $"The key of '{client.Name}' has the role read: it sees jobs, and sends no work.");
            context.Features.Set(client);
            return next(context);
        });

    /// <summary>Answers 401, with the scheme by which the client sends a key in <c>WWW-Authenticate</c>.</summary>
    public static Task RefuseUnknown(HttpContext context)
    {
        context.Response.Headers.WWWAuthenticate = ApiKeys.Scheme;
        return Problem.Of(context, CommonProblems.Unauthorized).ExecuteAsync(context);
    }

    /// <summary>Answers 403: the key's role, or the client's address, does not permit the request.</summary>
    public static Task Refuse(HttpContext context, string detail) =>
        Problem.Of(context, CommonProblems.Forbidden, detail).ExecuteAsync(context);
}
