using System.Collections.Concurrent;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Jobs.Tests;

/// <summary>Runs jobs on a pool by a script: a function that runs on a worker and returns the end of the attempt.</summary>
internal sealed class ScriptedExecutor(FixedThreadPool pool, Func<JobAttempt, CancellationToken, AttemptEnd> script) : IJobExecutor
{
    public static readonly AttemptEnd Success = new(AttemptOutcome.Succeeded, new JobResult(200, "text/plain", "done"u8.ToArray()), null, MayRetry: false);

    private int _begun;

    public ConcurrentQueue<Guid> Begun { get; } = new();

    /// <summary>The number of attempts that the executor has received and not completed.</summary>
    public int InHand => Volatile.Read(ref _begun);

    public async ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _begun);
        try
        {
            return await pool.RunAsync(
                token =>
                {
                    attempt.Started();
                    Begun.Enqueue(attempt.Claim.Job.Id);
                    try
                    {
                        return script(attempt, token);
                    }
                    catch (OperationCanceledException) when (token.IsCancellationRequested)
                    {
                        return AttemptEnd.Stopped;
                    }
                },
                cancellation,
                options: new(kind: attempt.Claim.Job.Kind, priority: attempt.Priority));
        }
        catch (Exception e) when (e is OperationCanceledException or WorkRejectedException)
        {
            return AttemptEnd.Stopped;
        }
        finally
        {
            Interlocked.Decrement(ref _begun);
        }
    }
}
