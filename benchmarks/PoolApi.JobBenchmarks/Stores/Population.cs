using PoolApi.JobBenchmarks.Load;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.JobBenchmarks.Stores;

/// <summary>Fills a store with a mixture of jobs, few or many, through its own interface.</summary>
/// <remarks>
/// There are two kinds. The oldest fifth has ended, and every third of these jobs has failed. The others are queued, and every tenth of them is
/// urgent. So a search for the newest failed jobs meets all queued ones first. <see cref="RareCount"/> jobs have a rare tag, however many
/// jobs there are.
/// </remarks>
internal static class Population
{
    public const string Kind = "thumbnails", RareTag = "rare";
    public const int RareCount = 40;

    /// <summary>The number of ids that are returned, from the first job to the last.</summary>
    private const int KnownIds = 1000;

    private const int Kinds = 2, Batches = 10, EveryUrgent = 10, EveryEnded = 5, EveryFailed = 3;

    // So many that the commits are large. The filling is not measured.
    private const int FillCallers = 512, ClaimCount = 512;

    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);
    private static readonly JobResult Result = new(200, "text/plain", "done\n"u8.ToArray());

    /// <returns>Ids of some of the jobs, from the first to the last.</returns>
    public static async Task<Guid[]> FillAsync(IJobStore store, int jobs)
    {
        var known = new Guid[Math.Min(KnownIds, jobs)];
        int ended = jobs / EveryEnded, each = jobs / known.Length, eachRare = jobs / RareCount;
        await AcceptAsync(0, ended);
        for (int i = 0; i < ended;)
        {
            JobClaims claims = await store.ClaimAsync("fill", Math.Min(ClaimCount, ended - i), long.MaxValue, Lease, KindFilter.All, CancellationToken.None);
            int first = i;
            await Task.WhenAll(claims.Claims.Select((claim, n) => store.FinishAsync(claim, End(first + n), CancellationToken.None).AsTask()));
            i += claims.Claims.Count;
        }
        await AcceptAsync(ended, jobs);
        // Ids of the same millisecond are not in order, and many callers start in the same one.
        Array.Sort(known);
        return known;

        Task AcceptAsync(int from, int to)
        {
            int number = from - 1;
            return Callers.TimesAsync(FillCallers, to - from, async _ =>
            {
                int i = Interlocked.Increment(ref number);
                NewJob job = NewJob(i, isUrgent: i >= ended && i % EveryUrgent == 0, isRare: i % eachRare == 0);
                if (i % each == 0 && i / each < known.Length) known[i / each] = job.Id;
                await store.AcceptAsync(job, CancellationToken.None);
            });
        }
    }

    private static NewJob NewJob(int number, bool isUrgent, bool isRare)
    {
        string batch = $"batch-{number % Batches}";
        bool isImage = number % Kinds == 0;
        return SampleJobs.Noop() with
        {
            Kind = isImage ? Kind : SampleJobs.NoopKind,
            Priority = isUrgent ? WorkPriority.High : WorkPriority.Normal,
            Tags = isRare ? [batch, RareTag] : [batch],
        };
    }

    private static JobEnd End(int number) => number % EveryFailed == 0
        ? new JobEnd(JobState.Failed, null, new JobError("work-failed", "The work failed."))
        : new JobEnd(JobState.Succeeded, Result);
}
