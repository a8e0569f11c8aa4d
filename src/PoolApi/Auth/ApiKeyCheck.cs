using PoolApi.AspNetCore.Endpoints;
using PoolApi.Problems;

namespace PoolApi.Auth;

/// <summary>
/// Asks every request for work for a key, before anything of it is read. What does not use the pool needs none, unless it
/// says so of itself (<see cref="NeedsKeyMetadata"/>).
/// </summary>
internal static class ApiKeyCheck
{
    /// <summary>Told by what the endpoint says of itself, so that no route for work can be forgotten. After the routing.</summary>
    public static void UseApiKeys(this WebApplication app, ApiKeys keys)
    {
        Dictionary<string, ApiClient> byName = keys.Names.ToDictionary(
            static name => name, static name => new ApiClient(name), StringComparer.Ordinal);
        app.Use(async (HttpContext context, RequestDelegate next) =>
        {
            if (context.GetEndpoint()?.Metadata is { } says
                && (says.GetMetadata<RunOnPoolMetadata>() is not null || says.GetMetadata<NeedsKeyMetadata>() is not null))
            {
                if (keys.NameOf(context.Request) is not { } name)
                {
                    context.Response.Headers.WWWAuthenticate = ApiKeys.Scheme;
                    await Problem.Of(context, StatusCodes.Status401Unauthorized).ExecuteAsync(context);
                    return;
                }
                context.Features.Set(byName[name]);
            }
            await next(context);
        });
    }
}
