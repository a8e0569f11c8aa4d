using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using PoolApi.JobBenchmarks.Stores;
using PoolApi.Jobs;

namespace PoolApi.JobBenchmarks.Peers;

/// <summary>A small server that accepts jobs over HTTP as the service does, into a <see cref="OneCommitStore"/>. It runs none.</summary>
internal static class OneCommitServer
{
    /// <summary>The command that makes the program run as this server. Its arguments are PORT FILE.</summary>
    public const string Command = "--serve";

    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        if (args is not [var portText, var path]) throw new FormatException($"{Command} takes a port and a file.");
        using var store = new OneCommitStore(path);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{int.Parse(portText, CultureInfo.InvariantCulture)}");
        await using WebApplication app = builder.Build();
        app.MapGet("/healthz", static () => "ok\n");
        app.MapPost(SampleJobs.NoopPath, async (HttpRequest request) =>
        {
            var body = new MemoryStream((int)(request.ContentLength ?? 0));
            await request.Body.CopyToAsync(body);
            var job = new NewJob
            {
                Kind = SampleJobs.NoopKind,
                RunAt = DateTimeOffset.TryParse(request.Headers["Job-Run-At"], CultureInfo.InvariantCulture, out DateTimeOffset at) ? at : null,
                Payload = new JobPayload(
                    body.GetBuffer().AsMemory(0, (int)body.Length), request.Method, request.Path, request.QueryString.Value ?? "", request.ContentType),
            };
            await store.AcceptAsync(job);
            string self = $"/v1/jobs/{job.Id}";
            return Results.Accepted(self, new Answer(job.Id, job.Kind, "queued", self));
        });
        await app.RunAsync();
    }

    private sealed record Answer(Guid Id, string Kind, string State, string Self);
}
