using System.Globalization;
using System.Net;

namespace PoolApi.Tests.Service;

/// <summary>A job that is committed holds no bytes of the queue, however long its client waits for it.</summary>
public class CommittedBodyTests
{
    private const int Length = 900_000;

    [Fact]
    public async Task A_client_that_waits_for_its_job_keeps_nobody_out()
    {
        string folder = Directory.CreateTempSubdirectory("poolapi-").FullName;
        try
        {
            await using ServiceApp app = ServiceApp.With(
                ("Pool:QueueBytes", "1000000"), ("Pool:MaxBodyBytes", "1000000"), ("Jobs:Path", Path.Combine(folder, "jobs.db")));
            using HttpClient client = app.CreateClient();
            using var leaving = new CancellationTokenSource();
            using var bytes = new ByteArrayContent(new byte[Length]);
            using var waiting = new HttpRequestMessage(HttpMethod.Post, "/v1/diagnostics/noop") { Content = bytes };
            waiting.Headers.Add("Prefer", "respond-async, wait=300");
            waiting.Headers.Add("Job-Run-At", DateTimeOffset.UtcNow.AddDays(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
            Task<HttpResponseMessage> waits = client.SendAsync(waiting, leaving.Token);
            await Patience.UntilAsync(
                async () => (await client.GetStringAsync("/v1/jobs", ServiceApp.Token)).Contains("\"queued\"", StringComparison.Ordinal), "The job");

            // There is room for one such body only.
            HttpStatusCode status;
            using (var patience = new CancellationTokenSource(Patience.Long))
            {
                do
                {
                    using var more = new ByteArrayContent(new byte[Length]);
                    using HttpResponseMessage other = await client.PostAsync("/v1/diagnostics/noop", more, patience.Token);
                    status = other.StatusCode;
                }
                while (status == HttpStatusCode.ServiceUnavailable); // between the commit and its answer
            }
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.False(waits.IsCompleted);
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
