using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.Extensions.DependencyInjection;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The MVC filter by which a request enters the pool: innermost in front of a controller's action
/// that has the attribute, and of a page's handler. It passes on every other request, such as one that is already on a pool, unless the attribute would
/// have no effect.
/// </summary>
internal sealed class HandlerFilter : IAsyncActionFilter, IAsyncPageFilter, IOrderedFilter
{
    public const int Innermost = int.MaxValue;

    public static HandlerFilter Instance { get; } = new();

    public int Order => Innermost;

    public async Task OnActionExecutionAsync(ActionExecutingContext context, ActionExecutionDelegate next)
    {
        ActionExecutedContext? executed = null;
        IActionResult? replacement = await RunAsync(context, async () =>
        {
            executed = await next();
            return (executed.Result, executed.ExceptionHandled ? null : executed.ExceptionDispatchInfo);
        });
        if (replacement is null) return;
        if (executed is null) context.Result = replacement;
        else (executed.Result, executed.ExceptionHandled) = (replacement, true);
    }

    public Task OnPageHandlerSelectionAsync(PageHandlerSelectedContext context) => Task.CompletedTask;

    public async Task OnPageHandlerExecutionAsync(PageHandlerExecutingContext context, PageHandlerExecutionDelegate next)
    {
        // The page has no handler for this method.
        if (context.HandlerMethod is null)
        {
            await next();
            return;
        }
        PageHandlerExecutedContext? executed = null;
        IActionResult? replacement = await RunAsync(context, async () =>
        {
            executed = await next();
            return (executed.Result, executed.ExceptionHandled ? null : executed.ExceptionDispatchInfo);
        });
        if (replacement is null) return;
        if (executed is null) context.Result = replacement;
        else (executed.Result, executed.ExceptionHandled) = (replacement, true);
    }

    /// <summary>Runs the handler and the filters after this one on the pool, if the request enters the pool here.</summary>
    /// <returns>The result that replaces the handler's own; <see langword="null"/>: the handler's own is used.</returns>
    private static async Task<IActionResult?> RunAsync(FilterContext context, Func<Task<(IActionResult? Result, ExceptionDispatchInfo? Fault)>> next)
    {
        if (PoolRequest.InFrontOfMvcHandler(context.HttpContext) is not { } request)
        {
            ThrowIfNoPool(context);
            ThrowIfNotRouted(context);
            await next();
            return null;
        }
        object? returned = await request.RunAsync(
            async _ =>
            {
                var (result, fault) = await next();
                // The pool counts the failure, and the filters around this one get the exception.
                fault?.Throw();
                return result;
            },
            invocation: null);
        return returned is IResult own ? new PoolActionResult(own) : null;
    }

    /// <summary>Throws if the app has no pool. The start has not checked a page, nor an app beside another app of the process that has a pool.</summary>
    private static void ThrowIfNoPool(FilterContext context)
    {
        if (context.HttpContext.RequestServices.GetService<PoolContexts>() is null)
            PoolEndpoint.ThrowIfNoPool(context.HttpContext.RequestServices, pool: null, $"'{context.ActionDescriptor.DisplayName}'");
    }

    /// <summary>Throws if the filter is the attribute, and the endpoint was not replaced by the one that runs on the pool.</summary>
    private static void ThrowIfNotRouted(FilterContext context)
    {
        HttpContext http = context.HttpContext;
        if ((http.GetEndpoint() is { } endpoint && PoolEndpoint.Find(endpoint) is not null) || PoolRequest.IsAnyInPool(http)) return;
        if (!context.ActionDescriptor.FilterDescriptors.Any(static f => f.Filter is RunOnPoolAttribute)) return;
        throw new InvalidOperationException(
            $"'{context.ActionDescriptor.DisplayName}' has the attribute RunOnPool, but endpoint routing did not select it, so it cannot run on a pool. "
            + "Use endpoint routing (UseRouting, MapControllers, MapRazorPages), or RunOnPool() for an endpoint that middleware sets.");
    }

    /// <summary>A refusal of the pool, or the action's result that was executed there.</summary>
    private sealed class PoolActionResult(IResult result) : IActionResult
    {
        public Task ExecuteResultAsync(ActionContext context) => result.ExecuteAsync(context.HttpContext);
    }
}
