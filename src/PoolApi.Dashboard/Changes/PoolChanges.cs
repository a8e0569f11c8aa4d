using PoolApi.Dashboard.Requests;
using PoolApi.Dashboard.Streams;

namespace PoolApi.Dashboard.Changes;

/// <summary>Maps the changes of the pools' page: sending work and stopping the app.</summary>
internal static class PoolChanges
{
    public const string DrainReason = "dashboard";

    public static void Map(RouteGroupBuilder changes, PoolDashboardOptions options, ActionLog log)
    {
        var works = options.Work.ToDictionary(static w => w.Name, StringComparer.Ordinal);
        if (works.Count > 0)
        {
            changes.MapPost("/work/{name}", async Task<IResult> (string name, HttpContext context) =>
            {
                if (!works.TryGetValue(name, out PoolDashboardWork? work))
                    return Problem.NotFound(context, $"There is no work '{name}' to send.");
                string sent = await work.Send(context);
                log.Add(context, $"Send work: {work.Label}", sent);
                return TypedResults.Bytes(Json.Write(json =>
                {
                    json.WriteStartObject();
                    json.WriteString("detail", sent);
                    json.WriteEndObject();
                }), "application/json");
            });
        }
        if (!options.AllowDrain) return;
        changes.MapPost("/stop", async context =>
        {
            log.Add(context, "Drain and stop", "begun");
            await DrainEndpoint.StopAsync(context, DrainReason);
        });
    }
}
