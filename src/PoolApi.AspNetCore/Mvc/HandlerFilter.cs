using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.AspNetCore.Mvc;

/// <summary>
/// Where a request enters the pool that has come through MVC and not through endpoint filters: innermost in front of a controller's action
/// that has the attribute, and of a page's handler. Passes on every other request, such as one that is on a pool already.
/// </summary>
internal sealed class HandlerFilter : IAsyncActionFilter, IAsyncPageFilter, IOrderedFilter
{
    public const int Innermost = int.MaxValue;

    public static HandlerFilter Instance { get; } = new();

    public int Order => Innermost;

    public async Task OnActionExecutionAsync(ActionExecutingContext context, ActionExecutionDelegate next)
    {
        if (PoolRequest.InFrontOfMvcHandler(context.HttpContext) is not { } request)
        {
            ThrowIfNoPool(context);
            await next();
            return;
        }
        ActionExecutedContext? executed = null;
        object? answer = await request.RunAsync(
            async _ =>
            {
                ActionExecutedContext ran = executed = await next();
                // The pool is told of a failure, and so are the filters around this one.
                if (!ran.ExceptionHandled) ran.ExceptionDispatchInfo?.Throw();
                return ran.Result;
            },
            invocation: null);
        if (answer is not IResult refusal) return;
        if (executed is null) context.Result = new Refusal(refusal);
        else (executed.Result, executed.ExceptionHandled) = (new Refusal(refusal), true);
    }

    public Task OnPageHandlerSelectionAsync(PageHandlerSelectedContext context) => Task.CompletedTask;

    public async Task OnPageHandlerExecutionAsync(PageHandlerExecutingContext context, PageHandlerExecutionDelegate next)
    {
        // A page without a handler for this method has nothing to run.
        if (context.HandlerMethod is null || PoolRequest.InFrontOfMvcHandler(context.HttpContext) is not { } request)
        {
            ThrowIfNoPool(context);
            await next();
            return;
        }
        PageHandlerExecutedContext? executed = null;
        object? answer = await request.RunAsync(
            async _ =>
            {
                PageHandlerExecutedContext ran = executed = await next();
                if (!ran.ExceptionHandled) ran.ExceptionDispatchInfo?.Throw();
                return ran.Result;
            },
            invocation: null);
        if (answer is not IResult refusal) return;
        if (executed is null) context.Result = new Refusal(refusal);
        else (executed.Result, executed.ExceptionHandled) = (new Refusal(refusal), true);
    }

    /// <summary>In an app without any pool nothing of this library runs at the start, and no endpoint leads to a pool.</summary>
    private static void ThrowIfNoPool(FilterContext context)
    {
        if (context.HttpContext.RequestServices.GetService<AttributeEndpoints>() is null)
            PoolEndpoint.ThrowIfNoPool(context.HttpContext.RequestServices, pool: null, $"'{context.ActionDescriptor.DisplayName}'");
    }

    /// <summary>The answer in the place of the action's own.</summary>
    private sealed class Refusal(IResult answer) : IActionResult
    {
        public Task ExecuteResultAsync(ActionContext context) => answer.ExecuteAsync(context.HttpContext);
    }
}
