using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// What stands around an endpoint that runs on a pool. The way of a request:
/// </summary>
/// <remarks>
/// <code>
///   refuse early?  →  read the body  →  [bind]  →  submit  →  the handler, on a worker  →  [write the result]
///   └────────── AdmitAsync ────────┘              └──────────── RunAsync ────────────┘
/// </code>
/// What is in brackets is the framework's own. For minimal APIs and controllers RunAsync is an endpoint filter, so that
/// only the handler holds a worker. A plain RequestDelegate binds and writes itself; all of it runs on the worker.
/// One object for each endpoint, made when the endpoint is built; resolved against the app's services at the first request.
/// </remarks>
internal sealed class PoolEndpoint(IServiceProvider services, string? poolName, string kind, string? route)
{
    private readonly Lazy<(AppPool Pool, RequestGate Gate, ShutdownCoordinator Shutdown)> _app = new(() => (
        services.GetRequiredService<AppPools>().Get(poolName),
        services.GetRequiredService<RequestGate>(),
        services.GetRequiredService<ShutdownCoordinator>()));

    /// <summary>The pool's name; <see langword="null"/> for the first.</summary>
    public string? PoolName => poolName;

    public string Kind => kind;

    public string? Route => route;

    // None of the ways in is async itself: each async method on the way costs every request one more object.

    /// <summary>Around the whole endpoint: refuses what can be refused at once, reads the body, and cleans up.</summary>
    public Task AdmitAsync(HttpContext context, Func<PooledRequest, Task> next)
    {
        AppPool pool = _app.Value.Pool;
        QuotaHold? quota = TakeQuota(context, out Rejection? refused);
        bool hasBody = HasBody(context);
        refused ??= pool.Overload.ShouldRefuse() ? Rejection.Overloaded(pool)
            : hasBody && pool.Threads.IsFullGuess ? Rejection.QueueFull(pool)
            : null;
        return refused is null ? ServeAsync(context, quota, hasBody, null, next) : RefuseAsync(context, quota, refused);
    }

    /// <summary>The same for a request that is kept, and run later: it needs no room in the pool.</summary>
    public Task StoreAsync(HttpContext context, Func<PooledRequest, Task> next)
    {
        QuotaHold? quota = TakeQuota(context, out Rejection? refused);
        return refused is null ? ServeAsync(context, quota, HasBody(context), null, next) : RefuseAsync(context, quota, refused);
    }

    /// <summary>And for one that was kept: all that could refuse it had its say when it came.</summary>
    public Task RunStoredAsync(HttpContext context, Func<PooledRequest, Task> next) =>
        ServeAsync(context, quota: null, hasBody: false, context.Features.GetRequiredFeature<IAcceptedWorkFeature>(), next);

    private async Task RefuseAsync(HttpContext context, QuotaHold? quota, Rejection refused)
    {
        using (quota) await Counted(_app.Value.Pool, refused).ExecuteAsync(context);
    }

    private static bool HasBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? context.Request.ContentLength > 0;

    private QuotaHold? TakeQuota(HttpContext context, out Rejection? refused)
    {
        var (pool, _, shutdown) = _app.Value;
        // Before the body is read: the client need not send it in vain. The pool itself decides again, exactly, at Submit.
        if (shutdown.IsClosed)
        {
            refused = Rejection.Draining(pool);
            return null;
        }
        // Before the room in the pool is looked at: who has used up his share is told so, however much room there is.
        return QuotaHold.Take(pool, context, out refused);
    }

    private async Task ServeAsync(
        HttpContext context, QuotaHold? quota, bool hasBody, IAcceptedWorkFeature? accepted, Func<PooledRequest, Task> next)
    {
        using QuotaHold? held = quota;
        var (pool, _, shutdown) = _app.Value;
        var request = new PooledRequest(this, pool, context, accepted);
        request.Attach();
        await using CancellationTokenRegistration watch = request.Client.UnsafeRegister(
            static r => ((PooledRequest)r!).Leave(), request);
        try
        {
            if (hasBody && await ReadBodyAsync(request, shutdown) is { } refused)
            {
                await Counted(pool, refused).ExecuteAsync(context);
                return;
            }
            await next(request);
        }
        finally
        {
            request.Body.Release();
            request.Detach();
        }
    }

    /// <summary>A body that is still under way when the app closes is not waited for: its work would be refused anyway.</summary>
    private static async ValueTask<Rejection?> ReadBodyAsync(PooledRequest request, ShutdownCoordinator shutdown)
    {
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(request.Context.RequestAborted, shutdown.Closed);
        try
        {
            return await BodyBuffer.ReadAsync(request.Context, request.Pool, request.Body, reading.Token);
        }
        catch (OperationCanceledException) when (shutdown.IsClosed && !request.IsClientGone)
        {
            return Rejection.Draining(request.Pool);
        }
    }

    /// <summary>Runs the work on the pool, and turns what does not run into an answer.</summary>
    /// <returns>What the work returned, or the answer.</returns>
    public async ValueTask<object?> RunAsync(PooledRequest request, Func<ValueTask<object?>> work)
    {
        var (pool, gate, _) = _app.Value;
        bool isCounted = request.Accepted is null; // what was accepted before is not among the MaxRequests
        if (isCounted && !gate.TryReserve()) return Counted(pool, Rejection.Draining(pool));

        SubmitResult? submitted = null;
        try
        {
            submitted = request.Submit(work);
        }
        finally
        {
            if (isCounted && submitted != SubmitResult.Accepted) gate.GiveBack();
        }
        if (submitted != SubmitResult.Accepted)
            return submitted == SubmitResult.Closed ? Rejection.Draining(pool) : Rejection.QueueFull(pool);
        if (isCounted) gate.Admitted();

        WorkOutcome outcome = await request.Ended;
        request.Over();
        if (request.Accepted is { } accepted) accepted.Ended(outcome);
        else if (outcome == WorkOutcome.Expired || request.IsClientGone) pool.Overload.Left(request.QueueTime + request.RunTime, request.QueueTime);
        switch (outcome)
        {
            case WorkOutcome.Completed:
                ServerTiming.Set(request);
                return Answer(request);
            case WorkOutcome.Failed:
                ServerTiming.Set(request);
                ExceptionDispatchInfo.Throw(request.Error!);
                return null;
            case WorkOutcome.Expired:
                return Rejection.Expired(pool);
            case WorkOutcome.Shed:
                return Rejection.Overloaded(pool);
            case WorkOutcome.NotStarted:
                return Rejection.NotStarted(pool);
            case WorkOutcome.ClientGone:
                return Rejection.ClientGone;
            case WorkOutcome.Cancelled when request.IsClientGone:
                return Rejection.ClientGone;
            default:
                return Rejection.StateUnknown();
        }
    }

    /// <summary>What the work returned. If that is many bytes, they count until the client has read them.</summary>
    private static object? Answer(PooledRequest request)
    {
        // The answer of work that was accepted before has no client yet.
        if (request.Accepted is not null || request.Result is not FileContentHttpResult { FileContents.Length: > AnswerBudget.Small and var length } answer)
            return request.Result;
        return request.Pool.Answers.TryTake(request.Context, length) is { } lease
            ? new HeldAnswer(answer, lease)
            : Rejection.AnswersFull(request.Pool);
    }

    /// <summary>A refusal in front of the pool; those of the pool itself it has counted already.</summary>
    private static Rejection Counted(AppPool pool, Rejection rejection)
    {
        pool.Threads.CountRejected(rejection.Reason);
        return rejection;
    }
}
