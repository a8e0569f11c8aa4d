using System.Globalization;
using PoolApi.Dashboard.History;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Streams;

/// <summary>Maps the data of the pools' page: the stream, the status and the history.</summary>
internal static class StreamEndpoints
{
    public static void Map(RouteGroupBuilder group, FrameFeed feed, StreamLimit streams, StatusView status, PoolMonitor monitor)
    {
        group.MapMethods("/stream", Reading.Methods, (Delegate)((HttpContext context) =>
        {
            // The browser's own reconnect sends the last event's id in the header, the page's own in the query.
            string? after = context.Request.Headers["Last-Event-ID"].FirstOrDefault() ?? context.Request.Query["after"];
            return streams.WriteAsync(context, (end, client) => feed.ReadAsync(string.IsNullOrEmpty(after) ? null : after, end, client));
        }));
        group.MapMethods("/status", Reading.Methods, (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Bytes(status.ToJson(), "application/json");
        });
        group.MapMethods("/history", Reading.Methods, IResult (HttpContext context) =>
        {
            string? seconds = context.Request.Query["seconds"];
            int wanted = PoolHistory.Seconds;
            if (!string.IsNullOrEmpty(seconds) && (!int.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out wanted) || wanted is < 1 or > 3600))
                return Problem.Invalid("seconds may be a whole number from 1 to 3600.");
            string? name = context.Request.Query["pool"];
            PoolHistory[] pools = [.. monitor.Pools.Where(p => string.IsNullOrEmpty(name) || p.Name == name)];
            if (pools.Length == 0 && !string.IsNullOrEmpty(name)) return Problem.NotFound($"There is no pool '{name}'.");
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
