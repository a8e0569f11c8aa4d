using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Microsoft.OpenApi;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>Sends a job as server-sent events: its present version at once, then each newer one, until the job has ended.</summary>
/// <remarks>
/// <para>The id of an event is the job's version, so that a client that connects again (<c>Last-Event-ID</c>) sees only newer versions. Nothing
/// is stored for a client between two connections: of several changes it sees the latest version.</para>
/// <para>The same holds for a client that reads slowly: while an event is being sent to it, no further event is made.</para>
/// </remarks>
internal static class JobEvents
{
    public const string EventType = "job";

    /// <summary>The version that the client saw last. A client that has seen none has an empty id.</summary>
    public static readonly RequestParameter<long> LastSeen = new(
        "Last-Event-ID", ParameterLocation.Header, "The id of the last event that the client has: only newer ones are sent.",
        static _ => RequestParameter.PlainText(example: "7"),
        new ParameterRule<long>("the id of an event of this job, as it was sent: a whole number", static (string text, out long version) =>
        {
            version = 0;
            return text.Length == 0 || long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out version);
        }));

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>The events from here on.</summary>
    /// <param name="follower">The job.</param>
    /// <param name="seen">Only versions greater than this one.</param>
    /// <param name="links">The links in the events.</param>
    public static async IAsyncEnumerable<SseItem<string>> ReadAsync(JobFollower follower, long seen, JobLinks links)
    {
        bool hasNext = true;
        while (hasNext)
        {
            if (follower.Job.Version > seen)
            {
                seen = follower.Job.Version;
                yield return Event(follower.Job, links);
            }
            hasNext = !follower.Job.State.IsFinal() && await NextAsync(follower);
        }
    }

    /// <summary>
    /// Waits for the next version, however long the store is unavailable. A client whose stream ends connects again and would get 503, which
    /// ends the attempts of a browser.
    /// </summary>
    private static async Task<bool> NextAsync(JobFollower follower)
    {
        bool again = false;
        while (!follower.Over.IsCancellationRequested)
        {
            try
            {
                return again ? await follower.AgainAsync() : await follower.NextAsync();
            }
            catch (JobStoreUnavailableException)
            {
                again = true;
            }
            await Task.Delay(Pause, follower.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return false;
    }

    private static SseItem<string> Event(Job job, JobLinks links) => new(JsonSerializer.Serialize(JobView.Of(job, links), JobJson.Readable.JobView), EventType)
    {
        EventId = job.Version.ToString(CultureInfo.InvariantCulture),
    };
}
