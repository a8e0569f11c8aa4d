using System.Net;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using PoolApi.AspNetCore;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>Clients that wait for their jobs while the drain begins, or while the job is deleted.</summary>
public sealed class WaitingClientTests
{
    /// <summary>The job is queued when it is accepted. No read of it ends before the drain begins, so the watch does not return that it runs.</summary>
    [Fact]
    public async Task A_client_gets_the_result_of_a_job_that_runs_although_the_drain_begins_before_the_watch_returns_that_it_runs()
    {
        using WorkGate<string> busy = new("busy"), work = new("done");
        var reads = new HeldReads();
        await using StorableApp app = await StorableApp.StartAsync(
            app =>
            {
                app.MapGet("/busy", () => busy.Pass()).RunOnPool();
                app.MapPost("/work", () => work.Pass()).AllowJobs().RunOnPool();
            },
            services: reads.Hold);
        // The first callback that is registered runs last: then the wait for the job's final state is cancelled.
        var drains = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration draining = app.App.Services.GetRequiredService<IPoolLifetime>().Draining.Register(drains.SetResult);
        Task<string>[] others = [app.Client.GetStringAsync("/busy", ServiceApp.Token), app.Client.GetStringAsync("/busy", ServiceApp.Token)];
        await busy.ArrivalAsync(2);
        using var request = Post("Idempotency-Key", "\"once\"");
        Task<HttpResponseMessage> waits = app.Client.SendAsync(request, ServiceApp.Token);
        await reads.Begun.Patiently();
        busy.Open();
        await work.NextArrivalAsync();

        Task stop = app.App.StopAsync(ServiceApp.Token);
        await drains.Task.Patiently();
        reads.Release();
        work.Open();

        using HttpResponseMessage answer = await waits.Patiently();
        Assert.Equal((HttpStatusCode.OK, "done"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(ServiceApp.Token)));
        await Task.WhenAll(others).Patiently();
        await stop.Patiently();
    }

    [Theory]
    [InlineData("Idempotency-Key", "\"once\"", false)]
    [InlineData("Idempotency-Key", "\"once\"", true)]
    [InlineData("Prefer", "respond-async, wait=60", false)]
    public async Task A_client_whose_job_is_deleted_while_it_waits_gets_410(string header, string value, bool storeFailsThen)
    {
        var reads = new HeldReads { IsDeleted = true, SecondReadFails = storeFailsThen };
        await using StorableApp app = await StartAsync(static () => "done", reads);
        using var request = Post(header, value);
        Task<HttpResponseMessage> waits = app.Client.SendAsync(request, ServiceApp.Token);
        await reads.Begun.Patiently();
        reads.Release();

        using HttpResponseMessage answer = await waits.Patiently();
        Assert.Equal(HttpStatusCode.Gone, answer.StatusCode);
    }

    [Theory]
    [InlineData("Idempotency-Key", "\"once\"")]
    [InlineData("Prefer", "respond-async, wait=60")]
    public async Task A_client_whose_job_is_deleted_before_its_result_is_read_gets_410(string header, string value)
    {
        var reads = new HeldReads { ResultIsDeleted = true };
        reads.Release();
        await using StorableApp app = await StartAsync(static () => "done", reads);
        using var request = Post(header, value);
        using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token).Patiently();
        Assert.Equal(HttpStatusCode.Gone, answer.StatusCode);
    }

    [Fact]
    public async Task A_client_that_waits_at_the_address_of_a_job_gets_404_if_the_job_is_deleted()
    {
        using var work = new WorkGate<string>("done");
        var reads = new HeldReads();
        reads.Release();
        await using StorableApp app = await StartAsync(() => work.Pass(), reads);
        using var request = Post("Prefer", "respond-async");
        using HttpResponseMessage accepted = await app.Client.SendAsync(request, ServiceApp.Token);
        await work.NextArrivalAsync();
        int before = reads.Found;
        using var wait = new HttpRequestMessage(HttpMethod.Get, accepted.Headers.Location) { Headers = { { "Prefer", "wait=60" } } };
        Task<HttpResponseMessage> waits = app.Client.SendAsync(wait, ServiceApp.Token);
        await Patience.UntilAsync(() => reads.Found > before, "the first read");
        reads.IsDeleted = true;
        work.Open();

        using HttpResponseMessage answer = await waits.Patiently();
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    /// <summary>503 would promise that the request runs once if it is sent again under its key, but it would run again.</summary>
    [Fact]
    public async Task A_client_whose_job_ends_here_during_the_drain_and_is_deleted_gets_410()
    {
        using var work = new WorkGate<string>("done");
        var reads = new HeldReads();
        reads.Release();
        await using StorableApp app = await StartAsync(() => work.Pass(), reads);
        using var request = Post("Idempotency-Key", "\"once\"");
        Task<HttpResponseMessage> waits = app.Client.SendAsync(request, ServiceApp.Token);
        await Patience.UntilAsync(() => reads.Found > 0, "the first read");
        await work.NextArrivalAsync();
        int before = reads.Found;

        Task stop = app.App.StopAsync(ServiceApp.Token);
        // One read finds that the job runs here, and the next one begins the wait for its end.
        await Patience.UntilAsync(() => reads.Found >= before + 2, "the wait for the end of the job");
        reads.IsDeleted = true;
        work.Open();

        using HttpResponseMessage answer = await waits.Patiently();
        Assert.Equal(HttpStatusCode.Gone, answer.StatusCode);
        await stop.Patiently();
    }

    private static Task<StorableApp> StartAsync(Func<string> work, HeldReads reads) => StorableApp.StartAsync(
        app => app.MapPost("/work", work).AllowJobs().RunOnPool(), services: reads.Hold);

    private static HttpRequestMessage Post(string header, string value) => new(HttpMethod.Post, "/work") { Headers = { { header, value } } };

    /// <summary>Holds the reads of single jobs until a test releases them.</summary>
    private sealed class HeldReads
    {
        private int _begunReads;
        private int _found;

        /// <summary>Whether the reads find no job, as after its deletion.</summary>
        public bool IsDeleted { get; set; }

        public bool SecondReadFails { get; init; }

        /// <summary>Whether the job is deleted when its result is read.</summary>
        public bool ResultIsDeleted { get; init; }

        /// <summary>The number of reads that have returned a job.</summary>
        public int Found => Volatile.Read(ref _found);

        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completes when the first read begins.</summary>
        public Task Begun => _begun.Task;

        public void Release() => _released.SetResult();

        public void Hold(IServiceCollection services)
        {
            Func<IServiceProvider, object> store = services.Single(static s => s.ServiceType == typeof(IJobStore)).ImplementationFactory!;
            services.Replace(ServiceDescriptor.Singleton(s => Store.Around((IJobStore)store(s), this)));
        }

        public async Task<Job?> ReadAsync(Func<ValueTask<Job?>> read, CancellationToken cancellation)
        {
            int number = Interlocked.Increment(ref _begunReads);
            _begun.TrySetResult();
            await _released.Task.WaitAsync(cancellation);
            if (SecondReadFails && number == 2) throw new JobStoreUnavailableException("on purpose");
            if (IsDeleted) return null;
            Job? job = await read();
            Interlocked.Increment(ref _found);
            return job;
        }
    }

    /// <summary>A store whose reads of single jobs are held.</summary>
    public class Store : DispatchProxy
    {
        private IJobStore _store = null!;
        private HeldReads _reads = null!;

        internal static IJobStore Around(IJobStore store, object reads)
        {
            IJobStore around = Create<IJobStore, Store>();
            ((Store)(object)around)._store = store;
            ((Store)(object)around)._reads = (HeldReads)reads;
            return around;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
        {
            nameof(IJobStore.GetAsync) =>
                new ValueTask<Job?>(_reads.ReadAsync(() => _store.GetAsync((Guid)args![0]!, CancellationToken.None), (CancellationToken)args![1]!)),
            nameof(IJobStore.GetResultAsync) when _reads.ResultIsDeleted => new ValueTask<JobWithResult?>(),
            _ => targetMethod.Invoke(_store, BindingFlags.DoNotWrapExceptions, null, args, null),
        };
    }
}
