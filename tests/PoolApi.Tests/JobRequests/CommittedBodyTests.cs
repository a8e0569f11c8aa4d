using System.Globalization;
using System.Net;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>A committed job holds no bytes of the queue while its client waits for it.</summary>
public class CommittedBodyTests
{
    private const int Length = 900_000;

    [Fact]
    public async Task A_client_that_waits_for_its_committed_job_holds_no_queue_bytes()
    {
        using var folder = new TemporaryFolder();
        await using ServiceApp app = ServiceApp.With(
            ("Pool:QueueBytes", "1000000"), ("Pool:MaxBodyBytes", "1000000"), ("Jobs:Path", folder.File("jobs.db")));
        using HttpClient client = app.CreateClient();
        using var leaving = new CancellationTokenSource();
        using var bytes = new ByteArrayContent(new byte[Length]);
        using var waiting = new HttpRequestMessage(HttpMethod.Post, "/v1/diagnostics/noop") { Content = bytes };
        waiting.Headers.Add("Prefer", "respond-async, wait=300");
        waiting.Headers.Add("Job-Run-At", DateTimeOffset.UtcNow.AddDays(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        Task<HttpResponseMessage> waits = client.SendAsync(waiting, leaving.Token);
        await Patience.UntilAsync(
            async () => (await client.GetStringAsync("/v1/jobs", ServiceApp.Token)).Contains("\"queued\"", StringComparison.Ordinal), "The job");

        // The queue has room for one such body only.
        Assert.Equal(HttpStatusCode.OK, await PostUntilThereIsRoomAsync(client, "/v1/diagnostics/noop"));
        Assert.False(waits.IsCompleted);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
    }

    /// <summary>The job runs at once, and holds one of the two workers until the gate opens.</summary>
    [Fact]
    public async Task A_client_that_waits_without_Prefer_under_an_idempotency_key_holds_no_queue_bytes()
    {
        using var gate = new WorkGate<string>("done");
        await using StorableApp app = await StorableApp.StartAsync(
            app =>
            {
                app.MapPost("/v1/work", () => gate.Pass()).AllowJobs().RunOnPool();
                app.MapPost("/v1/other", static () => "other").RunOnPool();
            },
            settings: [("Pools:cpu:QueueBytes", "1000000"), ("Pools:cpu:MaxBodyBytes", "1000000")]);
        using var bytes = new ByteArrayContent(new byte[Length]);
        using var waiting = new HttpRequestMessage(HttpMethod.Post, "/v1/work") { Headers = { { "Idempotency-Key", "\"once\"" } }, Content = bytes };
        Task<HttpResponseMessage> waits = app.Client.SendAsync(waiting, ServiceApp.Token);
        await gate.NextArrivalAsync();

        Assert.Equal(HttpStatusCode.OK, await PostUntilThereIsRoomAsync(app.Client, "/v1/other"));
        Assert.False(waits.IsCompleted);
        gate.Open();
        using HttpResponseMessage answer = await waits.Patiently();
        Assert.Equal((HttpStatusCode.OK, "done"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(ServiceApp.Token)));
    }

    /// <summary>Posts a body until the queue has room for it. Shortly after the commit of the first job its body may still hold its bytes.</summary>
    private static async Task<HttpStatusCode> PostUntilThereIsRoomAsync(HttpClient client, string path)
    {
        using var patience = new CancellationTokenSource(Patience.Long);
        while (true)
        {
            using var more = new ByteArrayContent(new byte[Length]);
            using HttpResponseMessage other = await client.PostAsync(path, more, patience.Token);
            if (other.StatusCode != HttpStatusCode.ServiceUnavailable) return other.StatusCode;
        }
    }
}
