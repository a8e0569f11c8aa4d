using System.Diagnostics;
using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using PoolApi.Dashboard.Changes;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Streams;
using PoolApi.Jobs;
using PoolApi.Jobs.AspNetCore.Intake;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace PoolApi.Dashboard.Jobs;

/// <summary>Streams the changes of a page of the list of jobs, and of one job.</summary>
/// <remarks>
/// The list is read once a second for each page that shows it. Only differences are sent: the order of the ids, and the rows with a new
/// version. For each reader only what it was sent last is kept. A reader that reconnects gets the whole page, so that it misses nothing.
/// </remarks>
internal sealed class JobsStream(IJobStore store, JobWatch watch, ActionLog log, RunningJobs running, TimeSpan lease, TimeProvider time)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    public async IAsyncEnumerable<SseItem<string>> ListAsync(
        JobFilter filter, Guid? after, int limit, CancellationToken end, [EnumeratorCancellation] CancellationToken client)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(client, end);
        using var timer = new PeriodicTimer(Period, time);
        var sent = new Dictionary<Guid, (long Version, bool IsStale)>();
        List<Guid>? order = null;
        IReadOnlyDictionary<JobState, long>? counts = null;
        long logged = -1;
        string? fault = null;
        long number = 0;
        do
        {
            JobPage? page = null;
            IReadOnlyDictionary<JobState, long>? counted = null;
            string? trouble = null;
            try
            {
                page = await filter.ListAsync(store, after, limit, over.Token);
                counted = await store.CountAsync(over.Token);
            }
            catch (JobStoreException)
            {
                trouble = "The store of the jobs cannot be used for now. The page shows the last known state.";
            }
            catch (OperationCanceledException)
            {
                yield break;
            }
            long version = log.Version; // before its content, so that the next frame has what is added meanwhile
            bool isSame = trouble == fault && logged == version
                && (page is null || (order is not null && order.SequenceEqual(page.Jobs.Select(static j => j.Id))
                    && page.Jobs.All(j => sent.GetValueOrDefault(j.Id) == Seen(j))))
                && (counted is null || (counts is not null && counted.All(c => counts.GetValueOrDefault(c.Key) == c.Value)));
            if (isSame) continue;
            fault = trouble;
            string text = Text(json =>
            {
                json.WriteNumber("now", time.GetUtcNow().ToUnixTimeMilliseconds());
                json.WriteMaybe("fault", trouble);
                if (page is not null)
                {
                    json.WriteStartArray("order");
                    foreach (Job job in page.Jobs) json.WriteStringValue(job.Id);
                    json.WriteEndArray();
                    json.WriteBoolean("more", page.HasMore);
                    json.WriteMaybe("next", page.HasMore ? JobJson.Cursor(page.Jobs[^1].Id) : null);
                    json.WriteStartArray("jobs");
                    foreach (Job job in page.Jobs)
                    {
                        if (sent.GetValueOrDefault(job.Id) != Seen(job)) JobJson.Write(json, job, JobJson.IsStale(job, lease));
                    }
                    json.WriteEndArray();
                }
                if (counted is not null) JobJson.WriteCounts(json, counted);
                if (logged != version) log.Write(json);
            });
            logged = version;
            if (page is not null)
            {
                order = [.. page.Jobs.Select(static j => j.Id)];
                sent = page.Jobs.ToDictionary(static j => j.Id, Seen);
            }
            counts = counted ?? counts;
            yield return new SseItem<string>(text, "jobs") { EventId = (++number).ToString(CultureInfo.InvariantCulture) };
        }
        while (await NextAsync(timer, over.Token));
    }

    public async IAsyncEnumerable<SseItem<string>> OneAsync(
        Guid id, long after, CancellationToken end, [EnumeratorCancellation] CancellationToken client)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(client, end);
        using var timer = new PeriodicTimer(Period, time);
        string? accepted = await AcceptedTraceAsync(id, over.Token);
        bool isFirst = true;
        (bool, string?)? sent = null; // null: unknown, because a page that reconnects may show outdated values of both
        do
        {
            // The watch ends with the job. A user may retry the job, so this loop begins a new watch once a second.
            IAsyncEnumerator<Job> versions = watch.WatchAsync(id, after, over.Token).GetAsyncEnumerator(over.Token);
            Task<bool>? moving = null;
            try
            {
                while (true)
                {
                    moving ??= versions.MoveNextAsync().AsTask();
                    // The job's worker and the staleness of its lease change without a new version, so they are checked once a second.
                    await Task.WhenAny(moving, Task.Delay(Period, time, over.Token));
                    Job? job;
                    if (moving.IsCompleted)
                    {
                        job = await NextAsync(versions, moving);
                        moving = null;
                        if (job is null) break;
                    }
                    else if (over.IsCancellationRequested)
                    {
                        break;
                    }
                    else
                    {
                        job = await GetAsync(id, over.Token);
                        if (job is null || job.Version != after) continue; // the watch reports the next version
                    }
                    (bool IsStale, string? Lane) now = (JobJson.IsStale(job, lease), running.Find(id).Worker);
                    if (job.Version == after && now == sent) continue;
                    sent = now;
                    after = job.Version;
                    isFirst = false;
                    yield return Event(job, accepted);
                }
            }
            finally
            {
                if (moving is not null)
                {
                    await over.CancelAsync();
                    await ((Task)moving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                await versions.DisposeAsync();
            }
            if (isFirst && !over.IsCancellationRequested)
            {
                isFirst = false;
                yield return new SseItem<string>(Text(json => json.WriteNumber("now", time.GetUtcNow().ToUnixTimeMilliseconds())), "waiting");
            }
        }
        while (await NextAsync(timer, over.Token));
    }

    private (long, bool) Seen(Job job) => (job.Version, JobJson.IsStale(job, lease));

    private static async Task<Job?> NextAsync(IAsyncEnumerator<Job> versions, Task<bool> moving)
    {
        try
        {
            return await moving ? versions.Current : null;
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException)
        {
            return null; // the caller watches again in a second, unless the stream is over
        }
    }

    private async Task<Job?> GetAsync(Guid id, CancellationToken cancellation)
    {
        try
        {
            return await store.GetAsync(id, cancellation);
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>The trace of the request that made the job, if it is known.</summary>
    private async Task<string?> AcceptedTraceAsync(Guid id, CancellationToken cancellation)
    {
        try
        {
            return await store.GetPayloadAsync(id, 0, cancellation) is { } stored
                && ActivityContext.TryParse(StoredMetadata.Parse(StoredRequest.Of(stored.Payload).Metadata).TraceParent, null, out ActivityContext trace)
                ? trace.TraceId.ToHexString()
                : null;
        }
        catch (Exception e) when (e is JobStoreException or OperationCanceledException or JsonException)
        {
            return null;
        }
    }

    private SseItem<string> Event(Job job, string? accepted)
    {
        var (trace, pool, worker) = running.Find(job.Id);
        return new(
            Text(json =>
            {
                json.WriteNumber("now", time.GetUtcNow().ToUnixTimeMilliseconds());
                json.WritePropertyName("job");
                JobJson.Write(json, job, JobJson.IsStale(job, lease), more =>
                {
                    JobJson.WriteEarlier(more, job);
                    more.WriteMaybe("trace", trace ?? accepted);
                    more.WriteMaybe("pool", pool);
                    more.WriteMaybe("lane", worker);
                });
            }),
            "job")
        {
            EventId = job.Version.ToString(CultureInfo.InvariantCulture),
        };
    }

    private static async Task<bool> NextAsync(PeriodicTimer timer, CancellationToken over)
    {
        try
        {
            return await timer.WaitForNextTickAsync(over);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static string Text(Action<Utf8JsonWriter> content) => Encoding.UTF8.GetString(Json.Write(json =>
    {
        json.WriteStartObject();
        content(json);
        json.WriteEndObject();
    }));
}
