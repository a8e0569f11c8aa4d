using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Streams;

/// <summary>The state of the app's lifetime for the page's banner.</summary>
internal sealed class StatusView(IServiceProvider services, string instance, bool hasJobs, TimeProvider time)
{
    public byte[] ToJson()
    {
        // Resolved late: resolving it before the host starts would create the pools before the settings are validated.
        var shutdown = services.GetRequiredService<ShutdownCoordinator>();
        ShutdownProgress progress = shutdown.Progress;
        int inFlight = shutdown.Responses.Count;
        int queued = 0;
        foreach (PoolContext pool in services.GetRequiredService<PoolContexts>().All)
        {
            PoolSnapshot now = pool.Threads.GetSnapshot();
            inFlight += now.InFlight;
            queued += now.QueueLength;
        }
        return Json.Write(json =>
        {
            json.WriteStartObject();
            json.WriteString("instance", instance);
            json.WriteNumber("now", time.GetUtcNow().ToUnixTimeMilliseconds());
            json.WriteString("state", progress.State.ToWord());
            if (progress.Reason is { } reason) json.WriteString("reason", reason);
            else json.WriteNull("reason");
            json.WriteNumber("elapsedMs", Math.Round(progress.Elapsed.TotalMilliseconds));
            if (progress.TimeLeft is { } left) json.WriteNumber("timeLeftMs", Math.Round(left.TotalMilliseconds));
            else json.WriteNull("timeLeftMs");
            json.WriteNumber("inFlight", inFlight);
            json.WriteNumber("queued", queued);
            json.WriteBoolean("jobs", hasJobs);
            json.WriteEndObject();
        });
    }
}
