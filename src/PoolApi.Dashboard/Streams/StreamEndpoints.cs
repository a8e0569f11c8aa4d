using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Requests;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Streams;

/// <summary>Maps the data of the pools' page: the stream, the status and the history.</summary>
internal static class StreamEndpoints
{
    private const int MostSeconds = 3600;

    private static readonly RequestParameter<int> Length = RequestParameter.Text(
        "seconds", "How far back.", FieldFaults.WholeNumberRule(1, MostSeconds), static (string text, out int seconds) =>
        {
            seconds = PoolHistory.Seconds;
            return text.Length == 0 || FieldFaults.WholeNumber(1, MostSeconds)(text, out seconds);
        });

    private static readonly RequestParameter<string?> Pool = RequestParameter.Text<string?>("pool", "Only this pool.", "the name of a pool", Blank.OrText);

    public static void Map(RouteGroupBuilder group, FrameFeed feed, PageStreams streams, StatusView status, PoolMonitor monitor)
    {
        group.MapMethods("/stream", ReadMethods.All, (Delegate)((HttpContext context) =>
        {
            // The browser's own reconnect sends the last event's id in the header, the page's own in the query.
            string? after = context.Request.Headers["Last-Event-ID"].FirstOrDefault() ?? context.Request.Query["after"];
            return streams.WriteAsync(context, (end, client) => feed.ReadAsync(string.IsNullOrEmpty(after) ? null : after, end, client));
        }));
        group.MapMethods("/status", ReadMethods.All, (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Bytes(status.ToJson(), "application/json");
        });
        group.MapMethods("/history", ReadMethods.All, IResult (HttpContext context) =>
        {
            var faults = new RequestFaults(context);
            int wanted = Length.TryRead(context, faults, out int given) ? given : PoolHistory.Seconds;
            string? name = Pool.Read(context, faults);
            if (faults.Refusal is { } refusal) return refusal;
            PoolHistory[] pools = [.. monitor.Pools.Where(p => name is null || p.Name == name)];
            if (pools.Length == 0 && name is not null) return Problem.NotFound(context, $"There is no pool '{name}'.");
            context.Response.Headers.CacheControl = "no-store";
            bool isLong = wanted > PoolHistory.Seconds;
            return TypedResults.Bytes(Json.Write(json =>
            {
                json.WriteStartObject();
                json.WriteNumber("stepSeconds", isLong ? 10 : 1);
                json.WriteStartArray("pools");
                foreach (PoolHistory pool in pools)
                {
                    (PoolSample[] samples, PoolSnapshot now) = monitor.Read(_ => (isLong ? pool.ByTenSeconds() : pool.ByTheSecond(), pool.Snapshot));
                    json.WriteStartObject();
                    json.WriteString("name", pool.Name);
                    json.WriteStartArray("samples");
                    foreach (PoolSample sample in samples.TakeLast(isLong ? (wanted + 9) / 10 : wanted)) SampleJson.Write(json, sample, now.QueueCapacity);
                    json.WriteEndArray();
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            }), "application/json");
        });
    }
}
