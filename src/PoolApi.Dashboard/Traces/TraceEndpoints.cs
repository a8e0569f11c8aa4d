using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using Microsoft.Net.Http.Headers;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Requests;
using PoolApi.Dashboard.Traces.Formats;

namespace PoolApi.Dashboard.Traces;

/// <summary>Maps the traces: of the last seconds, and of the snapshots.</summary>
internal static class TraceEndpoints
{
    private const double MostSeconds = 3600;
    private const double DefaultSeconds = 30;

    private static readonly RequestParameter<double> Length = RequestParameter.Text(
        "seconds", "How far back.", string.Create(CultureInfo.InvariantCulture, $"a number greater than 0, up to {MostSeconds}"),
        static (string text, out double seconds) =>
            double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out seconds) && seconds is > 0 and <= MostSeconds);

    private static readonly RequestParameter<TraceFormat> Format = RequestParameter.OneOf(
        "format", "TraceFormat", "The format: trace events as JSON, or Perfetto's own, which is smaller.",
        [("json", TraceFormat.Json), ("perfetto", TraceFormat.Perfetto)], isFirstUsual: true);

    public static void Map(IEndpointRouteBuilder endpoints, PoolMonitor monitor, Snapshots snapshots)
    {
        endpoints.MapGet("/trace", IResult (HttpContext context) =>
        {
            var faults = new RequestFaults(context);
            double seconds = Length.TryRead(context, faults, out double given) ? given : DefaultSeconds;
            TraceFormat format = Format.Read(context, faults);
            if (faults.Refusal is { } refusal) return refusal;
            context.Response.Headers.CacheControl = "no-store";
            string name = string.Create(CultureInfo.InvariantCulture, $"pools-{monitor.Time.GetUtcNow():yyyyMMdd'T'HHmmss'Z'}");
            return TypedResults.Stream(
                async to =>
                {
                    await using Utf8JsonWriter json = ReadableJson.NewWriter(to);
                    ITraceWriter writer = format == TraceFormat.Json ? new JsonTraceWriter(json) : new PerfettoTraceWriter(to);
                    await TraceExport.WriteAsync(monitor, seconds, writer, context.RequestAborted);
                },
                format == TraceFormat.Json ? "application/json" : "application/octet-stream",
                name + (format == TraceFormat.Json ? ".json" : ".perfetto-trace"));
        });
        endpoints.MapGet("/snapshots", (HttpContext context) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Stream(
                async to =>
                {
                    await using Utf8JsonWriter json = ReadableJson.NewWriter(to);
                    json.WriteStartObject();
                    snapshots.Write(json);
                    json.WriteEndObject();
                },
                "application/json");
        });
        endpoints.MapGet("/snapshots/{id}", IResult (string id, HttpContext context) =>
        {
            if (snapshots.Find(id) is not { } snapshot)
                return Problem.NotFound(context, $"There is no snapshot {id}: only the last {Snapshots.Most} are kept.");
            context.Response.Headers.CacheControl = "private, no-store";
            context.Response.Headers.Vary = "Accept-Encoding";
            if (StringWithQualityHeaderValue.TryParseList(context.Request.Headers.AcceptEncoding!, out IList<StringWithQualityHeaderValue>? codings)
                && codings.Any(static coding => coding.Quality is not 0 && coding.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase)))
            {
                context.Response.Headers.ContentEncoding = "gzip";
                return TypedResults.Bytes(snapshot.Trace, "application/json", $"{id}.json");
            }
            return TypedResults.Stream(new GZipStream(new MemoryStream(snapshot.Trace), CompressionMode.Decompress), "application/json", $"{id}.json");
        });
    }

    private enum TraceFormat
    {
        Json,
        Perfetto,
    }
}
