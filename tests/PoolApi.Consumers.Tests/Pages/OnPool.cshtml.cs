using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;

namespace PoolApi.Consumers.Tests.Pages;

[RunOnPool("io")]
[IgnoreAntiforgeryToken]
internal sealed class OnPoolModel(Trail trail) : PageModel
{
    public string? Said { get; private set; }

    [BindProperty]
    public string? Text { get; set; }

    public void OnGet()
    {
        trail.Add("handler");
        Said = "got";
    }

    public async Task<IActionResult> OnPostAsync()
    {
        trail.Add("before");
        await Task.Delay(1); // so that the method really awaits
        trail.Add("after");
        Said = Text;
        return Text == "bad" ? BadRequest() : Page();
    }

    public void OnGetContext() => Said = $"{SynchronizationContext.Current is null} {FixedThreadPool.Current is not null}";

    public Task OnGetEndlessAsync(CancellationToken cancellation) => Task.Delay(Timeout.Infinite, cancellation);

    public void OnPostThrows() => throw new InvalidOperationException("thrown on purpose");
}
