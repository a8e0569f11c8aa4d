using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Traces;

/// <summary>Maps the traces: of the last seconds, and of the snapshots.</summary>
internal static class TraceEndpoints
{
    private const double MostSeconds = 3600;
    private const double DefaultSeconds = 30;

    public static void Map(IEndpointRouteBuilder endpoints, PoolMonitor monitor, Snapshots snapshots)
    {
        endpoints.MapGet("/trace", IResult (HttpContext context) =>
        {
            double seconds = DefaultSeconds;
            if (context.Request.Query["seconds"] is { Count: > 0 } given
                && !(given.Count == 1 && double.TryParse(given[0], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out seconds) && seconds is > 0 and <= MostSeconds))
            {
                return Bad($"'seconds' is {string.Join(", ", given.ToArray())}; it may be a number greater than 0, up to {MostSeconds}.");
            }
            if (context.Request.Query["format"] is { Count: > 0 } format && format != "json") return Bad($"'format' is {format}; it may be json.");
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Stream(
                to => TraceExport.WriteAsync(monitor, seconds, to, context.RequestAborted), "application/json",
                string.Create(CultureInfo.InvariantCulture, $"pools-{monitor.Time.GetUtcNow():yyyyMMdd'T'HHmmss'Z'}.json"));
        });
        endpoints.MapGet("/snapshots", (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Stream(
                async to =>
                {
                    await using var json = new Utf8JsonWriter(to);
                    json.WriteStartObject();
                    snapshots.Write(json);
                    json.WriteEndObject();
                },
                "application/json");
        });
        endpoints.MapGet("/snapshots/{id}", IResult (string id, HttpContext context) =>
        {
            if (snapshots.Find(id) is not { } snapshot)
                return TypedResults.Problem($"There is no snapshot {id}: only the last {Snapshots.Most} are kept.", statusCode: StatusCodes.Status404NotFound);
            context.Response.Headers.CacheControl = "private, no-store";
            context.Response.Headers.Vary = "Accept-Encoding";
            if (context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase))
            {
                context.Response.Headers.ContentEncoding = "gzip";
                return TypedResults.Bytes(snapshot.Trace, "application/json", $"{id}.json");
            }
            return TypedResults.Stream(new GZipStream(new MemoryStream(snapshot.Trace), CompressionMode.Decompress), "application/json", $"{id}.json");
        });

        static ProblemHttpResult Bad(string detail) => TypedResults.Problem(detail, statusCode: StatusCodes.Status400BadRequest);
    }
}
