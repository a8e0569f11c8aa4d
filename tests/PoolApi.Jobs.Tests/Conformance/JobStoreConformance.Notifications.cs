using System.Threading.Channels;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task Listeners_on_every_instance_are_notified_of_each_change_of_a_job()
    {
        RecordingListener here = new(), there = new();
        await using IJobStore one = await OpenAsync(here);
        IJobStore two = await OtherAsync(one, there);
        RecordingListener[] listeners = two == one ? [here] : [here, there];
        try
        {
            Job job = await AcceptAsync(one, Jobs.New(maxAttempts: 9));

            async Task AllReceiveAsync()
            {
                long version = (await GetAsync(one, job.Id)).Version;
                foreach (RecordingListener listener in listeners) await listener.WaitForAsync(job.Id, version);
            }

            JobClaim claim = await ClaimOneAsync(one);
            await AllReceiveAsync();
            await one.ReportProgressAsync(claim, 0.5, Token);
            await AllReceiveAsync();
            await one.HandBackAsync([claim], Token);
            await AllReceiveAsync();
            claim = await ClaimOneAsync(two);
            await AllReceiveAsync();
            await two.FinishAsync(claim, new JobEnd(JobState.Queued), Token);
            await AllReceiveAsync();
            claim = await ClaimOneAsync(one);
            await two.CancelAsync(job.Id, Token);
            await AllReceiveAsync();
            await one.FinishAsync(claim, new JobEnd(JobState.Cancelled), Token);
            await AllReceiveAsync();
            await two.RetryAsync(job.Id, Token);
            await AllReceiveAsync();
            await ClaimOneAsync(one, "dead", TimeSpan.FromMilliseconds(50));
            await TendUntilAsync(two, job.Id, JobState.Queued);
            await AllReceiveAsync();
            await one.CancelAsync(job.Id, Token);
            await AllReceiveAsync();
            Job late = await AcceptAsync(one, Jobs.New(timeout: TimeSpan.FromMilliseconds(20)));
            Job expired = await TendUntilAsync(two, late.Id, JobState.Expired);
            foreach (RecordingListener listener in listeners) await listener.WaitForAsync(late.Id, expired.Version);
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    [Fact]
    public async Task Listeners_on_every_instance_see_a_cancellation_request_only_for_a_running_job()
    {
        RecordingListener here = new(), there = new();
        await using IJobStore one = await OpenAsync(here);
        IJobStore two = await OtherAsync(one, there);
        RecordingListener[] listeners = two == one ? [here] : [here, there];
        try
        {
            Job job = await AcceptAsync(one), waiting = await AcceptAsync(one, Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)));
            JobClaim claim = await ClaimOneAsync(one);
            foreach (RecordingListener listener in listeners) await listener.WaitForAsync(job.Id, claim.Job.Version);
            Assert.DoesNotContain(listeners.SelectMany(static e => e.Changes), static c => c.IsCancelRequested);

            Job asked = (await two.CancelAsync(job.Id, Token))!.After;

            foreach (RecordingListener listener in listeners)
            {
                await UntilAsync(() => listener.Changes.Any(c => c.Id == job.Id && c.Version >= asked.Version && c.IsCancelRequested), "The cancellation request");
            }
            // A queued job is cancelled at once, so the notification requests nothing from an instance.
            Job cancelled = (await two.CancelAsync(waiting.Id, Token))!.After;
            foreach (RecordingListener listener in listeners)
            {
                await listener.WaitForAsync(waiting.Id, cancelled.Version);
                Assert.DoesNotContain(listener.Changes, c => c.Id == waiting.Id && c.IsCancelRequested);
            }
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    [Fact]
    public async Task Listeners_on_every_instance_are_notified_whenever_a_job_is_queued()
    {
        RecordingListener here = new(), there = new();
        await using IJobStore one = await OpenAsync(here);
        IJobStore two = await OtherAsync(one, there);
        RecordingListener[] listeners = two == one ? [here] : [here, there];
        try
        {
            async Task<T> NotifiesListenersAsync<T>(string what, Func<ValueTask<T>> act)
            {
                // Earlier notifications may still arrive, coalesced. So this waits until no more arrive.
                int[] before;
                do
                {
                    before = [.. listeners.Select(static e => e.Due)];
                    await PassAsync(150);
                }
                while (!before.SequenceEqual(listeners.Select(static e => e.Due)));
                T result = await act();
                for (int i = 0; i < listeners.Length; i++) await UntilAsync(() => listeners[i].Due > before[i], $"A notification to listener {i} after {what}");
                return result;
            }

            Job job = await NotifiesListenersAsync("an accept", async () => await AcceptAsync(one, Jobs.New(maxAttempts: 9)));
            JobClaim claim = await ClaimOneAsync(two);
            await NotifiesListenersAsync("a hand-back", async () =>
            {
                await two.HandBackAsync([claim], Token);
                return true;
            });
            claim = await ClaimOneAsync(one);
            await NotifiesListenersAsync("an end to try again", () => one.FinishAsync(claim, new JobEnd(JobState.Queued, RetryAfter: TimeSpan.FromMilliseconds(10)), Token));
            claim = await ClaimOneAsync(one);
            await one.FinishAsync(claim, Jobs.Failure(), Token);
            await NotifiesListenersAsync("a retry", () => two.RetryAsync(job.Id, Token));
            await ClaimOneAsync(one, "dead", TimeSpan.FromMilliseconds(50));
            await PassAsync(200);
            await NotifiesListenersAsync("a redelivery", async () => await MaintainAsync(two));
            await NotifiesListenersAsync("an accept for later", async () => await AcceptAsync(two, Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1))));
        }
        finally
        {
            if (two != one) await two.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_notified_change_can_be_read_from_the_store()
    {
        var changes = Channel.CreateUnbounded<JobChange>();
        var listener = new RecordingListener { OnChange = change => changes.Writer.TryWrite(change) };
        await using IJobStore store = await OpenAsync(listener);
        for (int i = 0; i < 50; i++)
        {
            Job job = await AcceptAsync(store);
            await store.FinishAsync(await ClaimOneAsync(store), Jobs.Success(), Token);
            await listener.WaitForAsync(job.Id, (await GetAsync(store, job.Id)).Version);
            while (changes.Reader.TryRead(out JobChange change))
            {
                Assert.True((await GetAsync(store, change.Id)).Version >= change.Version);
            }
        }
    }

    [Fact]
    public async Task Calls_that_change_nothing_notify_no_listener()
    {
        var listener = new RecordingListener();
        await using IJobStore store = await OpenAsync(listener);
        Job job = await EndedAsync(store, JobState.Succeeded);
        await HearAnotherAsync();
        await PassAsync(200); // notifications of due jobs are separate from those of changes
        int changes = ChangesOfJob(), due = listener.Due;

        await store.GetAsync(job.Id, Token);
        await store.ListAsync(new JobQuery(), Token);
        await store.ClaimAsync("me", 1, Jobs.LongLease, Token);
        await store.CancelAsync(job.Id, Token);
        await store.RetryAsync(job.Id, Token);
        await MaintainAsync(store);
        await PassAsync(200);

        Assert.Equal(due, listener.Due);
        await HearAnotherAsync();
        Assert.Equal(changes, ChangesOfJob());

        int ChangesOfJob() => listener.Changes.Count(change => change.Id == job.Id);

        // A store notifies of changes in their order, so all earlier notifications have arrived then.
        async Task HearAnotherAsync()
        {
            Job another = await EndedAsync(store, JobState.Succeeded);
            await listener.WaitForAsync(another.Id, another.Version);
        }
    }
}
