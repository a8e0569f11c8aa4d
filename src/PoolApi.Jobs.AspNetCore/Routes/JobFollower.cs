using PoolApi.AspNetCore.Events;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>Follows one job for one client: the present version, then each newer one, until the job has ended or is deleted, or the time is over.</summary>
/// <remarks>
/// The time is over when the client leaves, when the app stops, and after the limit that <see cref="EndIn"/> sets. Each of these ends the
/// waiting as the end of the job does, without an exception. For one caller at a time.
/// </remarks>
internal sealed class JobFollower : IAsyncDisposable
{
    private readonly JobWatch _watch;
    private readonly CancellationTokenSource _over;
    private IAsyncEnumerator<Job> _versions;
    private CancellationTokenRegistration _stopRegistration;
    private ITimer? _limit;

    private JobFollower(JobWatch watch, Guid id, CancellationToken client)
    {
        _watch = watch;
        _over = CancellationTokenSource.CreateLinkedTokenSource(client);
        _versions = watch.WatchAsync(id, 0, _over.Token).GetAsyncEnumerator(CancellationToken.None);
        Job = null!;
    }

    /// <summary>The job, as it was last read.</summary>
    public Job Job { get; private set; }

    /// <summary>Cancelled when the time is over.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Whether there is no further version because the job was deleted before it was seen to end.</summary>
    public bool IsDeleted { get; private set; }

    /// <summary>Begins to follow a job.</summary>
    /// <param name="context">The request.</param>
    /// <param name="id">The job.</param>
    /// <param name="watch">Reports the changes of the job.</param>
    /// <param name="stopping">Cancelled when the app stops.</param>
    /// <returns><see langword="null"/> if there is no such job, or it is another client's.</returns>
    /// <exception cref="PoolApi.Jobs.Stores.JobStoreUnavailableException">The store cannot be read.</exception>
    public static async Task<JobFollower?> BeginAsync(HttpContext context, Guid id, JobWatch watch, CancellationToken stopping)
    {
        ConnectionLiveness.Probe(context);
        var follower = new JobFollower(watch, id, context.RequestAborted);
        bool follows = false;
        try
        {
            follows = await follower._versions.MoveNextAsync() && follower._versions.Current.For(context) is not null;
            if (!follows) return null;
            follower.Job = follower._versions.Current;
            // Only now: an app that stops still reports the present version.
            follower._stopRegistration = stopping.UnsafeRegister(static over => ((CancellationTokenSource)over!).Cancel(), follower._over);
            return follower;
        }
        finally
        {
            if (!follows) await follower.DisposeAsync();
        }
    }

    /// <summary>Sets the limit, once. The time counts from now.</summary>
    public void EndIn(TimeSpan time, TimeProvider clock) => _limit = clock.CreateTimer(static over => ((CancellationTokenSource)over!).Cancel(), _over, time, Timeout.InfiniteTimeSpan);

    /// <summary>Waits for a newer version of the job.</summary>
    /// <returns>Whether there is one; <see langword="false"/>: there will be none, or the time is over.</returns>
    /// <exception cref="PoolApi.Jobs.Stores.JobStoreUnavailableException">The store cannot be read. <see cref="AgainAsync"/> may help.</exception>
    public async Task<bool> NextAsync()
    {
        try
        {
            if (!await _versions.MoveNextAsync())
            {
                // The versions end after a final state and at a deletion. If the time is over, they end with an exception.
                IsDeleted = !Job.State.IsFinal();
                return false;
            }
            Job = _versions.Current;
            return true;
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Resumes after the version that was read last, when the store could not be read.</summary>
    /// <returns>As <see cref="NextAsync"/>.</returns>
    public async Task<bool> AgainAsync()
    {
        await _versions.DisposeAsync();
        _versions = _watch.WatchAsync(Job.Id, Job.Version, _over.Token).GetAsyncEnumerator(CancellationToken.None);
        return await NextAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopRegistration.DisposeAsync();
        if (_limit is not null) await _limit.DisposeAsync(); // before the source that the timer cancels
        await _versions.DisposeAsync();
        _over.Dispose();
    }
}
