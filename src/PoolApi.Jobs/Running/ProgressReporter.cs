using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Running;

/// <summary>Writes an attempt's progress to the store: whole percents, one write at a time, at most ten a second. Thread-safe.</summary>
internal sealed class ProgressReporter(IJobStore store, JobClaim claim, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private Task _writing = Task.CompletedTask;
    private int _written = -1;
    private long _writtenAt;

    public Task Written
    {
        get
        {
            lock (_lock) return _writing;
        }
    }

    public void Report(double progress)
    {
        int percent = (int)(progress * 100);
        lock (_lock)
        {
            if (percent == _written || !_writing.IsCompleted) return;
            if (_written >= 0 && time.GetElapsedTime(_writtenAt) < Pause) return;
            _written = percent;
            _writtenAt = time.GetTimestamp();
            _writing = WriteAsync(percent / 100.0); // awaited at the end of the attempt
        }
    }

    private async Task WriteAsync(double progress)
    {
        // This write must not resume on the worker's synchronization context. A joined pool runs no continuations, and the attempt's end waits for
        // this write.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await store.ReportProgressAsync(claim, progress, CancellationToken.None);
        }
        catch (Exception)
        {
            // A lost report does no harm: the next one, or the end of the attempt, supersedes it.
        }
    }
}
