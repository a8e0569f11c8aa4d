using System.Collections.Concurrent;
using System.Diagnostics;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>The notifications that an instance sends to the others, and how often it sends them.</summary>
[Trait("Category", "Slow")]
public sealed class ChangeNotifierTests
{
    [Fact]
    public async Task Frequently_lost_answers_notify_every_instance_at_most_once_a_second()
    {
        var listener = new RecordingListener();
        var sent = new ConcurrentQueue<string>();
        await using var changes = new ChangeNotifier("me", messages =>
        {
            foreach (string message in messages) sent.Enqueue(message);
            return Task.CompletedTask;
        })
        { Listener = listener };

        long since = Stopwatch.GetTimestamp();
        await UntilAsync(() =>
        {
            for (int i = 0; i < 100; i++) changes.MayHaveMissed();
            return sent.Count >= 3;
        });
        int count = sent.Count;

        // A timer may be a little early.
        Assert.InRange(count, 3, 1 + (Stopwatch.GetElapsedTime(since) / TimeSpan.FromSeconds(0.9)));
        Assert.All(sent, static message => Assert.Equal("me ?", message));
        await UntilAsync(() => listener.Missed >= count, "The same number of notifications to this instance");
    }

    [Fact]
    public async Task A_notification_that_cannot_be_sent_is_sent_once_the_database_answers()
    {
        var listener = new RecordingListener();
        var sent = new ConcurrentQueue<string>();
        int tries = 0;
        await using var changes = new ChangeNotifier("me", messages =>
        {
            if (Interlocked.Increment(ref tries) <= 2) throw new JobStoreUnavailableException("It is away.");
            foreach (string message in messages) sent.Enqueue(message);
            return Task.CompletedTask;
        })
        { Listener = listener };

        changes.MayHaveMissed();

        await UntilAsync(() => listener.Missed > 0, "A notification to this instance");
        Assert.StartsWith("me ?", sent.First(), StringComparison.Ordinal);
    }
}
