namespace PoolApi.EndToEnd.Api;

/// <summary>Every error is problem details, whatever the client accepts, and whether the service, the routing or the
/// server finds the error.</summary>
public sealed class ProblemTests(SharedServices services)
{
    [Theory, ClassData(typeof(BothForms))]
    public async Task An_unknown_route_is_a_problem(ServiceForm form)
    {
        var service = await services.InAsync(form);

        (await service.Api.GetAsync("/v1/nonsense")).MustBeProblem(404);
        (await service.Api.PostAsync("/v1/thumbnails/extra")).MustBeProblem(404);
        (await service.Management.GetAsync("/nonsense")).MustBeProblem(404);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_wrong_method_answers_405_and_names_the_allowed_methods(ServiceForm form)
    {
        var service = await services.InAsync(form);

        var thumbnails = await service.Api.GetAsync("/v1/thumbnails?width=320");
        thumbnails.MustBeProblem(405);
        Assert.Equal("POST", thumbnails.Header("Allow"));
        var noop = await service.Api.SendAsync(new HttpRequestMessage(HttpMethod.Delete, "/v1/diagnostics/noop"));
        noop.MustBeProblem(405);
        Assert.Equal(["GET", "HEAD", "POST"], noop.Header("Allow")!.Split(',', StringSplitOptions.TrimEntries).Order());
        var passwords = await service.Api.SendAsync(new HttpRequestMessage(HttpMethod.Put, "/v1/password-hashes"));
        passwords.MustBeProblem(405);
        Assert.Equal("POST", passwords.Header("Allow"));
    }

    [Theory]
    [InlineData("image/webp")]
    [InlineData("text/html")]
    [InlineData("application/problem+xml")]
    public async Task An_error_is_problem_details_for_any_Accept_header(string accept)
    {
        foreach (var form in new[] { ServiceForm.FrameworkDependent, ServiceForm.NativeAot })
        {
            var service = await services.InAsync(form);
            foreach (string path in new[] { "/v1/thumbnails?width=0", "/v1/thumbnails", "/v1/nonsense", "/v1/diagnostics/sleep?ms=x" })
            {
                var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(Png.Gradient(8, 8)) };
                request.Content.Headers.TryAddWithoutValidation("Content-Type", "image/png");
                request.Headers.TryAddWithoutValidation("Accept", accept);
                var answer = await service.Api.SendAsync(request);
                answer.MustBeProblem(path.EndsWith("nonsense", StringComparison.Ordinal) ? 404 : 400);
            }
        }
    }

    [Fact]
    public async Task The_trace_id_is_the_callers_own()
    {
        const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
        var service = await services.InAsync(ServiceForm.Any);
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/diagnostics/sleep?ms=x");
        request.Headers.Add("traceparent", $"00-{TraceId}-00f067aa0ba902b7-01");

        var problem = (await service.Api.SendAsync(request)).MustBeProblem(400);

        Assert.Contains(TraceId, problem.TraceId, StringComparison.Ordinal);
    }
}
