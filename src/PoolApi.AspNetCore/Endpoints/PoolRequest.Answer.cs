using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 5, answer: the result that the framework writes, and the problem that replaces it.</content>
internal sealed partial class PoolRequest
{
    /// <summary>
    /// Answers while the handler still runs: it has run too long and ignores its token, or the stop has abandoned it.
    /// The client gets the problem at once. The handler uses the context until it returns, so the request ends after that. If the request is
    /// a job's attempt, the context is its own, and no client waits.
    /// </summary>
    /// <returns>A result that writes nothing; for work that was accepted before, the problem.</returns>
    private async ValueTask<object?> AnswerWithoutHandlerAsync(WorkOutcome outcome)
    {
        Task over = DisposeLateResultAsync();
        _accepted?.StillRuns(over);
        _accepted?.Ended(outcome);
        if (_accepted is not null && _response is null) return Rejection.StateUnknown(Pool);
        _isAnswering = true; // the quota is released when the handler has returned, because it holds a worker until then
        Func<HttpContext, Task> write = outcome == WorkOutcome.TimedOut ? WriteRunTimeoutAsync : WriteStateUnknownAsync;
        try
        {
            if (Volatile.Read(ref _isOver))
            {
                // A filter has given the handler up, and its own response is written.
            }
            else if (_response is { } own && own.TryDetach())
            {
                await own.AnswerAsync(Context, write);
            }
            else if (_response is null && !Context.Response.HasStarted)
            {
                HttpContext context = BufferedResult.Unbuffered(Context);
                await write(context);
                await EarlyEnd.CompleteAsync(context);
            }
            else
            {
                NoStore.Abort(Context); // a response that was cut off must not look complete
            }
        }
        finally
        {
            if (_accepted is null) await OutlastAsync(over);
        }
        return _endpoint.HasHandler ? Results.Empty : null;
    }

    /// <summary>
    /// Waits for code that uses the context, however it ends. After the deadline of the stop, neither the stop nor the process waits for
    /// it.
    /// </summary>
    private async Task OutlastAsync(Task code)
    {
        await code.WaitAsync(_endpoint.Shutdown.Overdue).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!code.IsCompleted) _lifetime.StopCounting();
        await code.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// The response is written while the work is still in the pool, or while the request is still being stored: a filter around the pool has stopped
    /// waiting. Queued work leaves the queue and never runs. Running work is cancelled. If it ignores its token, it uses the context until it
    /// returns. So the client gets the filter's response at once, and the request ends when the handler has returned. The late result belongs
    /// to the filter, which has the handler's task.
    /// </summary>
    /// <param name="isAnswered">Whether there is a response. If the filter has thrown, middleware writes it after the request has left the pool.</param>
    private async Task GiveUpAsync(bool isAnswered)
    {
        _isReferenced = true; // by the filter's task
        bool isStopped = _lifetime.Outer.IsCancellationRequested || _item.CancellationToken.IsCancellationRequested; // a stop cancels the item alone
        bool isRemoved = Cancel();
        Task left = LeftAsync();
        try
        {
            if (!isAnswered || isRemoved || _accepted is not null || (left.IsCompleted && !IsPending)) return;
            if (!Context.Response.HasStarted) CloseConnection(Context);
            await EarlyEnd.CompleteAsync(Context);
        }
        finally
        {
            await OutlastAsync(left);
            if (_pending is { } pending) await OutlastAsync(pending);
            // Only the filter has cancelled this work, so the filter's response or exception counts. Work that something else has cancelled may run again.
            if (_accepted is not null && !isStopped && _outcome == WorkOutcome.Cancelled) _accepted.Ended(WorkOutcome.Completed);
        }
    }

    /// <summary>Disposes of the late result of a handler whose request was answered without it.</summary>
    /// <returns>A task that completes when the handler has returned and its result is disposed of. It never fails.</returns>
    private async Task DisposeLateResultAsync()
    {
        await ReturnedAsync();
        (object? late, _result) = (_result, null);
        await LateResult.DisposeAsync(late, Context);
    }

    private Task WriteStateUnknownAsync(HttpContext context)
    {
        PrepareEarlyResponse(context);
        return Rejection.StateUnknown(Pool).ExecuteAsync(context);
    }

    private Task WriteRunTimeoutAsync(HttpContext context)
    {
        PrepareEarlyResponse(context);
        return Rejection.RunTimeout(Pool, _endpoint.MaxRunTime).ExecuteAsync(context);
    }

    private void PrepareEarlyResponse(HttpContext context)
    {
        NoStore.Set(Context, Rejection.MayHaveAnyStatus(Pool)); // for callbacks that read it as the response starts
        if (_accepted is null) CloseConnection(context);
    }

    /// <summary>Closes an HTTP/1.1 connection after the response: its next request would wait until this one ends, which may be late. HTTP/2 and
    /// HTTP/3 have streams and need no close.</summary>
    private static void CloseConnection(HttpContext context)
    {
        if (HttpProtocol.IsHttp11(context.Request.Protocol)) context.Response.Headers.Connection = "close";
    }

    /// <summary>Returns the work's result. If it has many bytes, they count until the client has read them.</summary>
    private object? Answer()
    {
        object? result = _result;
        _result = null;
        object? innermost = WrappedResult.Unwrap(result);
        if (StreamedResult.Is(innermost))
        {
            _longResponse = new LongResponse(_endpoint.Shutdown, isStream: true, () => Cancel());
            return result;
        }
        if (innermost is BufferedResult { IsLong: true })
        {
            _longResponse = new LongResponse(_endpoint.Shutdown, isStream: false, () => Cancel());
            return result;
        }
        // The result of work that was accepted before has no client yet.
        long length = _accepted is null ? BytesOf(innermost) : 0;
        IResult? written = result as IResult ?? (result is IActionResult action ? WrappedResult.HttpResultOf(action) : null);
        if (length <= ResponseBudget.Small || written is null) return result;
        if (Pool.Responses.TryTake(Context, length) is not { } reservation) return Rejection.ResponsesFull(Pool);
        _longResponse = new LongResponse(_endpoint.Shutdown, isStream: false, () => Cancel());
        return new HeldResult(written, reservation);
    }

    /// <summary>The bytes that an unwrapped result holds in memory.</summary>
    private static long BytesOf(object? innermost) => innermost switch
    {
        FileContentHttpResult file => file.FileContents.Length,
        Utf8ContentHttpResult text => text.ResponseContent.Length,
        _ => 0,
    };

    /// <summary>Whether a stream was cancelled before its end.</summary>
    private bool IsCutOff => _longResponse is { IsStream: true } && _item.CancellationToken.IsCancellationRequested;

    /// <summary>Aborts a response that was cut off, so that it, or the result of a job, does not look complete.</summary>
    private Task CutOffAsync()
    {
        NoStore.KeepOut(Context);
        if (_accepted is not null) _accepted.Ended(WorkOutcome.Cancelled);
        // An event stream has no end that a client could miss.
        else if (Context.Response.HasStarted && !IsEventStream(Context.Response)) Context.Abort();
        else if (!Context.Response.HasStarted && _longResponse!.IsOverdue) return Rejection.StateUnknown(Pool).ExecuteAsync(Context);
        return Task.CompletedTask;
    }

    private static bool IsEventStream(HttpResponse response) =>
        response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Whether the work itself writes the response, without a buffer.</summary>
    private bool WritesItself => !_endpoint.HasHandler && !_endpoint.Options.ExecuteResult;

    /// <summary>A long response of a request that only the framework awaits. It ends the request when it is written.</summary>
    private sealed class FinishingResult(PoolRequest request, object? result) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) => request.EndAsync(WriteAsync(httpContext));

        private async Task WriteAsync(HttpContext context) => await BufferedResult.WriteAsync(context, result!);
    }
}
