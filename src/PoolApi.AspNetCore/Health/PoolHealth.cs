using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Health;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the liveness, readiness and startup probes.</summary>
public static class PoolHealth
{
    /// <summary>Health checks with this tag decide readiness: <c>ready</c>.</summary>
    public const string ReadyTag = "ready";

    // The app's own checks share the space of tags and names, so these have a prefix.
    internal const string StartupTag = "pool-startup";

    internal const string StartupCheck = "pool-startup";

    internal const string ShutdownCheck = "pool-shutdown";

    /// <summary>
    /// Maps <c>/livez</c> (200 as long as the process answers), <c>/readyz</c> (200 while the app runs and no check tagged
    /// <see cref="ReadyTag"/> is unhealthy, otherwise 503) and <c>/startupz</c> (200 from the end of the start on). A pool is unhealthy when it
    /// is closed or all of its workers are stuck. It is degraded, which is 200, while some of them are stuck. The responses have the descriptions of the
    /// checks, which may name a store or its host, so map the probes where only operators reach them.
    /// </summary>
    /// <param name="endpoints">The routes of the app.</param>
    /// <returns>A builder for all three.</returns>
    public static IEndpointConventionBuilder MapPoolHealth(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        RouteGroupBuilder group = endpoints.MapGroup("");
        // MapHealthChecks maps every method.
        group.WithMetadata(new HttpMethodMetadata([HttpMethods.Get, HttpMethods.Head]));
        // No check: a response shows that the process lives. A busy pool is no reason to restart it.
        group.MapHealthChecks("/livez", new HealthCheckOptions { Predicate = static _ => false, ResponseWriter = WriteAsync });
        group.MapHealthChecks("/readyz", new HealthCheckOptions { Predicate = static c => c.Tags.Contains(ReadyTag), ResponseWriter = WriteReadinessAsync });
        group.MapHealthChecks("/startupz", new HealthCheckOptions { Predicate = static c => c.Tags.Contains(StartupTag), ResponseWriter = WriteAsync });
        return group;
    }

    private static Task WriteReadinessAsync(HttpContext context, HealthReport report)
    {
        context.RequestServices.GetService<ReadinessLog>()?.Log(report);
        return WriteAsync(context, report);
    }

    private static async Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        using Utf8JsonWriter json = PoolApi.ReadableJson.NewWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", Word(report.Status));
        json.WriteStartObject("checks");
        foreach ((string name, HealthReportEntry entry) in report.Entries) json.WriteString(name, Describe(entry));
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    /// <summary>
    /// The description of a check's result. If the check has thrown, the framework's description is the exception's message. It may have details that
    /// only the log should show, so it is replaced.
    /// </summary>
    private static string Describe(HealthReportEntry entry) =>
        entry.Exception is { } fault && entry.Description == fault.Message ? "the check failed" : entry.Description ?? "";

    private static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}
