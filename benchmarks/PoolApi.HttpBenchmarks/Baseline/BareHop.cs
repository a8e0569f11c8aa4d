using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Http;

namespace PoolApi.HttpBenchmarks.Baseline;

/// <summary>
/// The barest way to another thread and back that Kestrel allows: the floor for every pool. No routing, no binding, no limits, no metrics, no
/// cancellation, no stop. Dedicated threads take hops from a queue, and each hop goes back by the .NET ThreadPool, since a
/// dedicated thread that wrote the response would continue with the connection's loop.
/// </summary>
/// <remarks>A hop allocates nothing: its object is reused, and is both the source of its result and the work item of its way back.</remarks>
#pragma warning disable CA1001 // it lives as long as its process
internal sealed class BareHop
#pragma warning restore CA1001
{
    private static readonly byte[] Done = "done\n"u8.ToArray();

    private readonly ConcurrentQueue<Hop> _waiting = new();
    private readonly ConcurrentQueue<Hop> _free = new();
    private readonly SemaphoreSlim _count = new(0);

    public BareHop(int workers)
    {
        for (int i = 0; i < workers; i++) new Thread(Work) { IsBackground = true, Name = $"bare-{i}" }.Start();
    }

    /// <summary><c>/noop</c> goes to another thread and back. Every other request is answered on its own thread.</summary>
    public Task ServeAsync(HttpContext context) => context.Request.Path.Value == "/noop" ? HopAsync(context) : WriteAsync(context.Response);

    private async Task HopAsync(HttpContext context)
    {
        if (!_free.TryDequeue(out Hop? hop)) hop = new Hop();
        ValueTask back = hop.Start();
        _waiting.Enqueue(hop);
        _count.Release();
        await back;
        _free.Enqueue(hop);
        await WriteAsync(context.Response);
    }

    private static Task WriteAsync(HttpResponse response)
    {
        response.ContentType = "text/plain; charset=utf-8";
        response.ContentLength = Done.Length;
        return response.Body.WriteAsync(Done, 0, Done.Length);
    }

    private void Work()
    {
        while (true)
        {
            _count.Wait();
            if (_waiting.TryDequeue(out Hop? hop)) hop.Finish();
        }
    }

    private sealed class Hop : IValueTaskSource, IThreadPoolWorkItem
    {
        private ManualResetValueTaskSourceCore<bool> _source;

        public ValueTask Start()
        {
            _source.Reset();
            return new ValueTask(this, _source.Version);
        }

        /// <summary>Called by the dedicated thread, which does no work for a hop.</summary>
        public void Finish() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

        void IThreadPoolWorkItem.Execute() => _source.SetResult(true);

        void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

        void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _source.OnCompleted(continuation, state, token, flags);
    }
}
