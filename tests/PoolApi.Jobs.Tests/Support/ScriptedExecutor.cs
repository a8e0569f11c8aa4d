using System.Collections.Concurrent;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Jobs.Tests;

/// <summary>Runs jobs on a pool by a script: a function of the run that is called on a worker and says how the attempt went.</summary>
internal sealed class ScriptedExecutor(FixedThreadPool pool, Func<JobRun, CancellationToken, JobAttempt> script) : IJobExecutor
{
    public static readonly JobAttempt Success = new(AttemptOutcome.Succeeded, new JobResult(200, "text/plain", "done"u8.ToArray()), null, MayRetry: false);

    private int _begun;

    public ConcurrentQueue<Guid> Begun { get; } = new();

    /// <summary>How many attempts have been given to the executor and have not come back.</summary>
    public int InHand => Volatile.Read(ref _begun);

    public async ValueTask<JobAttempt> ExecuteAsync(JobRun run, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _begun);
        try
        {
            return await pool.RunAsync(
                token =>
                {
                    run.Started();
                    Begun.Enqueue(run.Claim.Job.Id);
                    try
                    {
                        return script(run, token);
                    }
                    catch (OperationCanceledException) when (token.IsCancellationRequested)
                    {
                        return JobAttempt.Stopped;
                    }
                },
                cancellation,
                options: new(kind: run.Claim.Job.Kind, priority: run.Priority));
        }
        catch (Exception e) when (e is OperationCanceledException or WorkRejectedException)
        {
            return JobAttempt.Stopped;
        }
        finally
        {
            Interlocked.Decrement(ref _begun);
        }
    }
}
