using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PoolApi.AspNetCore.Health;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The three probes that orchestrators ask for.</summary>
public static class PoolHealth
{
    /// <summary>Health checks with this tag decide readiness: <c>ready</c>.</summary>
    public const string ReadyTag = "ready";

    // Tags and names are the app's too. Only the probe of the start looks for this tag.
    internal const string StartupTag = "pool-startup";

    internal const string StartupCheck = "pool-startup";

    internal const string ShutdownCheck = "pool-shutdown";

    /// <summary>
    /// Maps <c>/livez</c> (200 as long as the process answers), <c>/readyz</c> (200 while the app runs and no check
    /// tagged <see cref="ReadyTag"/> is unhealthy, otherwise 503) and <c>/startupz</c> (200 once the app has started).
    /// A pool that is closed, or all of whose workers are stuck, is unhealthy; it is degraded, which is 200, while some are.
    /// </summary>
    /// <param name="endpoints">Where to map them.</param>
    /// <returns>A builder for all three.</returns>
    public static IEndpointConventionBuilder MapPoolHealth(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        RouteGroupBuilder group = endpoints.MapGroup("");
        // The framework maps health checks for every method.
        group.WithMetadata(new HttpMethodMetadata([HttpMethods.Get, HttpMethods.Head]));
        // No check at all: that this code runs is the answer. A busy pool is not a dead process.
        group.MapHealthChecks("/livez", new HealthCheckOptions { Predicate = static _ => false, ResponseWriter = WriteAsync });
        group.MapHealthChecks("/readyz", new HealthCheckOptions { Predicate = static c => c.Tags.Contains(ReadyTag), ResponseWriter = WriteReadinessAsync });
        group.MapHealthChecks("/startupz", new HealthCheckOptions { Predicate = static c => c.Tags.Contains(StartupTag), ResponseWriter = WriteAsync });
        return group;
    }

    private static Task WriteReadinessAsync(HttpContext context, HealthReport report)
    {
        context.RequestServices.GetService<ReadinessLog>()?.Tell(report);
        return WriteAsync(context, report);
    }

    private static async Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", Word(report.Status));
        json.WriteStartObject("checks");
        foreach ((string name, HealthReportEntry entry) in report.Entries) json.WriteString(name, entry.Description ?? "");
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}
