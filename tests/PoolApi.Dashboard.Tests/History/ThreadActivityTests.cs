using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Tests.History;

/// <summary>A thread's activity is derived from the kernel's counts. The kernel counts a wait for a processor only when the wait ends.</summary>
public class ThreadActivityTests
{
    private const long Second = 1_000_000_000;

    [Theory]
    [InlineData(0.6, 0.3, true, nameof(WorkerActivity.Computing))]
    [InlineData(0.3, 0.6, true, nameof(WorkerActivity.WaitingForProcessor))]
    [InlineData(0.3, 0.3, false, nameof(WorkerActivity.Blocked))]
    [InlineData(0.3, 0.3, true, null)] // the rest may be a wait that is not over
    public void A_reading_reports_the_activity_that_took_most_of_the_time(double running, double waiting, bool isRunnable, string? expected)
    {
        var thread = new ThreadActivity(At(10, 5, 5));
        Assert.Equal(expected, thread.Add(At(11, 5 + running, 5 + waiting, isRunnable))?.Activity.ToString());
    }

    [Fact]
    public void An_uncounted_wait_for_a_processor_is_not_reported_as_blocked()
    {
        var thread = new ThreadActivity(At(0, 0, 0));
        Assert.Equal(WorkerActivity.Computing, thread.Add(At(1, 1, 0))!.Activity);
        // The thread waits from 1.1 s to 2.8 s. The kernel counts the wait only at its end.
        Assert.Equal(WorkerActivity.Computing, thread.Add(At(2, 1.1, 0))!.Activity);
        WorkerActivityView view = thread.Add(At(3, 1.2, 1.7))!;
        Assert.Equal(WorkerActivity.WaitingForProcessor, view.Activity);
        Assert.Equal(0.85, view.Waiting, 0.001);
        Assert.Equal(TimeSpan.FromSeconds(3), thread.Since);
    }

    [Fact]
    public void A_woken_thread_that_waits_long_for_a_processor_is_no_longer_reported_as_blocked()
    {
        var thread = new ThreadActivity(At(0, 0, 0, isRunnable: false));
        Assert.Equal(WorkerActivity.Blocked, thread.Add(At(1, 0, 0, isRunnable: false))!.Activity);
        Assert.Equal(WorkerActivity.Blocked, thread.Add(At(2, 0, 0))!.Activity); // woken at some time since the last reading
        Assert.Equal(WorkerActivity.WaitingForProcessor, thread.Add(At(3, 0, 0))!.Activity);
        Assert.Equal(WorkerActivity.WaitingForProcessor, thread.Add(At(4, 0, 0))!.Activity);
        Assert.Equal(WorkerActivity.Blocked, thread.Add(At(8, 0.1, 1.9, isRunnable: false))!.Activity);
    }

    [Fact]
    public void A_mostly_blocked_thread_is_reported_as_blocked_even_when_a_reading_finds_it_runnable()
    {
        var thread = new ThreadActivity(At(0, 0, 0));
        for (int second = 1; second <= 20; second++)
        {
            WorkerActivityView? view = thread.Add(At(second, second * 0.2, second * 0.01, isRunnable: second % 3 == 0));
            Assert.Equal(WorkerActivity.Blocked, view!.Activity);
        }
    }

    private static ThreadReading At(double seconds, double running, double waiting, bool isRunnable = true) =>
        new(TimeSpan.FromSeconds(seconds), (long)(running * Second), (long)(waiting * Second), isRunnable);
}
