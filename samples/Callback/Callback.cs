using PoolApi.Jobs.AspNetCore;
using StandardWebhooks;

namespace CallbackSample;

/// <summary>The payload of a job: a client's address to call when another job has ended.</summary>
internal sealed record Callback(Guid Job, string Url)
{
    /// <summary>Waits for the end of the job and calls the address. The wait holds no worker. A failed call is repeated after a growing pause.</summary>
    public static async Task SendAsync(Callback call, IJobs jobs, HttpClient http, StandardWebhook webhook, CancellationToken cancellation)
    {
        if (await jobs.WaitAsync(call.Job, cancellation) is not { } job) return; // the job was deleted, and its result with it
        string state = job.State.ToString().ToLowerInvariant();
        var message = new { type = $"report.{state}", timestamp = job.FinishedAt, data = new { job = $"/jobs/{job.Id}", state } };
        // A repeated call has the same id, so that the client can detect it.
        using HttpContent content = webhook.MakeHttpContent(message, $"msg_{job.Id:N}", DateTimeOffset.UtcNow);
        using HttpResponseMessage response = await http.PostAsync(call.Url, content, cancellation);
        response.EnsureSuccessStatusCode();
    }
}
