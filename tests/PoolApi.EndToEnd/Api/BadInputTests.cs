using System.Net.Http.Headers;
using System.Text;

namespace PoolApi.EndToEnd.Api;

/// <summary>P9: invalid input gets the right 4xx, which names the fault and its limit. The process lives and no worker is lost.</summary>
public sealed class BadInputTests(SharedServices services)
{
    private const string Thumbnails = "/v1/thumbnails?width=320";

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_body_that_is_not_an_image_is_refused(ServiceForm form)
    {
        var service = await services.InAsync(form);

        var answer = await service.Api.PostImageAsync(Thumbnails, Encoding.UTF8.GetBytes("Dear Sir or Madam, this is not an image."));

        var problem = answer.MustBeProblemOf(415, 422);
        Assert.Equal(answer.Status == 415 ? "unsupported-media" : "unprocessable-image", problem.Name);
        await MustStillWorkAsync(service);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_truncated_image_is_refused_and_not_half_drawn(ServiceForm form)
    {
        var service = await services.InAsync(form);
        byte[] png = Png.Gradient(400, 400);
        byte[] jpeg = (await service.Api.PostPngAsync("/v1/thumbnails?width=300&format=jpeg", png)).MustBe(200).Body;
        byte[] webp = (await service.Api.PostPngAsync("/v1/thumbnails?width=300&format=webp", png)).MustBe(200).Body;

        foreach (byte[] image in new[] { png, jpeg, webp })
        {
            foreach (double part in new[] { 0.5, 0.9 })
            {
                var answer = await service.Api.PostImageAsync("/v1/thumbnails?width=32", image[..(int)(image.Length * part)]);
                answer.MustBeProblem(422, "unprocessable-image");
            }
        }

        await MustStillWorkAsync(service);
    }

    [Fact]
    public async Task The_large_photo_cut_in_half_is_refused()
    {
        byte[] photo = await Photos.LargeAsync();
        var service = await services.InAsync(ServiceForm.Any);

        (await service.Api.PostImageAsync(Thumbnails, photo[..(photo.Length / 2)])).MustBeProblem(422, "unprocessable-image");
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task An_empty_body_is_refused(ServiceForm form)
    {
        var service = await services.InAsync(form);

        (await service.Api.PostImageAsync(Thumbnails, [])).MustBeProblemOf(400, 422).MustName("body");

        await MustStillWorkAsync(service);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_bomb_of_50000_by_50000_pixels_is_refused_by_its_size(ServiceForm form)
    {
        var service = await services.InAsync(form);
        byte[] hollow = Png.HollowBomb();
        Assert.InRange(hollow.Length, 50, 8192);

        foreach (byte[] bomb in new[] { hollow, Png.FullBomb() })
        {
            var problem = (await service.Api.PostPngAsync(Thumbnails, bomb)).MustBeProblem(422, "unprocessable-image");
            problem.MustName("pixel").MustNameLimit();
        }

        await MustStillWorkAsync(service);
    }

    [Theory]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg' width='400' height='400'><rect width='400' height='400'/></svg>", "image/svg+xml")]
    [InlineData("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n", "application/pdf")]
    [InlineData("P1\n4 4\n1 0 1 0\n0 1 0 1\n1 0 1 0\n0 1 0 1\n", "image/x-portable-bitmap")]
    public async Task A_format_that_only_an_untrusted_loader_reads_is_refused(string document, string mediaType)
    {
        foreach (var form in new[] { ServiceForm.FrameworkDependent, ServiceForm.NativeAot })
        {
            var service = await services.InAsync(form);
            foreach (string claimed in new[] { mediaType, "image/png" })
            {
                var answer = await service.Api.PostImageAsync("/v1/thumbnails?width=2", Encoding.ASCII.GetBytes(document), claimed);
                answer.MustBeProblemOf(415, 422);
            }
        }
    }

    [Theory]
    [InlineData("", "width")]
    [InlineData("width=", "width")]
    [InlineData("width=0", "width")]
    [InlineData("width=-1", "width")]
    [InlineData("width=1e9", "width")]
    [InlineData("width=1000000000", "width")]
    [InlineData("width=99999999999999999999", "width")]
    [InlineData("width=abc", "width")]
    [InlineData("width=320&width=640", "width")]
    [InlineData("width=320&height=0", "height")]
    [InlineData("width=320&height=-1", "height")]
    [InlineData("width=320&height=tall", "height")]
    [InlineData("width=320&height=1000000000", "height")]
    public async Task An_invalid_width_or_height_is_named_with_its_limit(string query, string field)
    {
        foreach (var form in new[] { ServiceForm.FrameworkDependent, ServiceForm.NativeAot })
        {
            var service = await services.InAsync(form);
            (await service.Api.PostPngAsync("/v1/thumbnails?" + query, Png.Gradient(40, 40)))
                .MustBeProblem(400, "invalid-request").MustName(field).MustNameLimit();
        }
    }

    [Theory]
    [InlineData("format=bmp", "format", "webp", "jpeg", "png", "avif")]
    [InlineData("format=webp&format=png", "format")]
    [InlineData("format=7", "format", "webp")]
    [InlineData("fit=stretch", "fit", "inside", "cover")]
    [InlineData("fit=inside&fit=cover", "fit")]
    public async Task An_invalid_format_or_fit_is_named_with_allowed_values(string query, params string[] words)
    {
        foreach (var form in new[] { ServiceForm.FrameworkDependent, ServiceForm.NativeAot })
        {
            var service = await services.InAsync(form);
            (await service.Api.PostPngAsync("/v1/thumbnails?width=32&" + query, Png.Gradient(40, 40)))
                .MustBeProblem(400, "invalid-request").MustName(words);
        }
    }

    [Theory]
    [InlineData("sleep", "ms")]
    [InlineData("sleep?ms=", "ms")]
    [InlineData("sleep?ms=-1", "ms")]
    [InlineData("sleep?ms=abc", "ms")]
    [InlineData("sleep?ms=99999999999", "ms")]
    [InlineData("sleep?ms=1&ms=2", "ms")]
    [InlineData("sleep?ms=1&uncooperative=perhaps", "uncooperative")]
    [InlineData("hash", "iterations")]
    [InlineData("hash?iterations=0", "iterations")]
    [InlineData("hash?iterations=-5", "iterations")]
    [InlineData("hash?iterations=10000001", "iterations")]
    [InlineData("hash?iterations=many", "iterations")]
    [InlineData("hash?iterations=1&iterations=1", "iterations")]
    public async Task An_invalid_parameter_of_diagnostics_work_is_named(string work, string field)
    {
        var service = await services.InAsync(ServiceForm.Any);

        (await service.Api.PostAsync("/v1/diagnostics/" + work)).MustBeProblem(400, "invalid-request").MustName(field);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_body_beyond_MaxBodyBytes_is_refused_with_the_limit(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 1", "--Pool:MaxBodyBytes 100000");
        byte[] tooLarge = new byte[100_001];

        (await service.Api.PostImageAsync(Thumbnails, tooLarge)).MustBeProblem(413, "payload-too-large").MustNameLimit();
        var chunked = new HttpRequestMessage(HttpMethod.Post, Thumbnails) { Content = new ByteArrayContent(tooLarge) };
        chunked.Content.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
        chunked.Headers.TransferEncodingChunked = true;
        (await service.Api.SendAsync(chunked)).MustBeProblem(413, "payload-too-large");
        string json = $$"""{"password":"{{new string('x', 100_001)}}"}""";
        (await service.Api.PostJsonAsync("/v1/password-hashes", json)).MustBeProblem(413, "payload-too-large");

        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(32, 32))).MustBe(200);
        Assert.Equal(0, (await service.WorkersAsync()).QueueBytes);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_wrong_media_type_is_refused_and_the_problem_names_the_right_one(ServiceForm form)
    {
        var service = await services.InAsync(form);

        (await service.Api.PostAsync("/v1/password-hashes", new StringContent("password=x", Encoding.UTF8, "text/plain")))
            .MustBeProblem(415, "unsupported-media").MustName("application/json");
        (await service.Api.PostAsync("/v1/password-verifications", new StringContent("<x/>", Encoding.UTF8, "application/xml")))
            .MustBeProblem(415, "unsupported-media").MustName("application/json");
        (await service.Api.PostAsync(Thumbnails, new StringContent("""{"image":"x"}""", Encoding.UTF8, "application/json")))
            .MustBeProblem(415, "unsupported-media").MustName("JPEG");
    }

    private static async Task MustStillWorkAsync(PoolApiProcess service)
    {
        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(32, 32))).MustBe(200);
        Assert.Equal(2, (await service.WorkersAsync()).Workers.Count);
        Assert.Equal(2, ProcessFacts.ThreadNames(service.Id).Count(name => name.StartsWith("cpu-", StringComparison.Ordinal)));
    }
}
