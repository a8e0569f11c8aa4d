using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace PoolApi;

/// <summary>
/// Writes problem details to every client, independent of its Accept header, with the app's customizations. The app's problem details service
/// writes first. It writes nothing for a client that accepts no JSON, or for a controller without <c>[ApiController]</c>. Then this type writes the
/// problem itself, by the app's options for JSON.
/// </summary>
internal static class AnyClientProblem
{
    /// <summary>The trace id of a problem. The log lines of the request have the same id.</summary>
    public static string TraceIdOf(Microsoft.AspNetCore.Http.HttpContext context) => Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier;

    public static async Task WriteAsync(Microsoft.AspNetCore.Http.HttpContext context, ProblemDetails problem)
    {
        Microsoft.AspNetCore.Http.HttpResponse response = context.Response;
        if (problem.Status is { } status) response.StatusCode = status;
        var problemContext = new Microsoft.AspNetCore.Http.ProblemDetailsContext { HttpContext = context, ProblemDetails = problem };
        // For a controller, MVC's writer counts as having written also where it writes nothing: without [ApiController], or without a formatter.
        if (Get<Microsoft.AspNetCore.Http.IProblemDetailsService>(context) is { } service && await service.TryWriteAsync(problemContext)
            && (response.HasStarted || response.ContentType is not null))
        {
            return;
        }
        Get<IOptions<Microsoft.AspNetCore.Http.ProblemDetailsOptions>>(context)?.Value.CustomizeProblemDetails?.Invoke(problemContext);
        JsonSerializerOptions json = Get<IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions>>(context)!.Value.SerializerOptions;
        await Microsoft.AspNetCore.Http.HttpResponseJsonExtensions.WriteAsJsonAsync(
            response, problemContext.ProblemDetails, json.GetTypeInfo(problemContext.ProblemDetails.GetType()), "application/problem+json");
    }

    private static T? Get<T>(Microsoft.AspNetCore.Http.HttpContext context)
        where T : class => (T?)context.RequestServices.GetService(typeof(T));
}
