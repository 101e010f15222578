import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import org.apache.lucene.util.BytesRef;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.cluster.node.DiscoveryNode;
import org.elasticsearch.common.bytes.BytesArray;
import org.elasticsearch.common.bytes.BytesReference;
import org.elasticsearch.common.component.AbstractLifecycleComponent;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.lease.Releasable;
import org.elasticsearch.common.network.NetworkService;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.transport.BoundTransportAddress;
import org.elasticsearch.common.transport.TransportAddress;
import org.elasticsearch.common.util.BigArrays;
import org.elasticsearch.common.util.PageCacheRecycler;
import org.elasticsearch.common.util.concurrent.ConcurrentCollections;
import org.elasticsearch.common.xcontent.NamedXContentRegistry;
import org.elasticsearch.http.HttpInfo;
import org.elasticsearch.http.HttpRequest;
import org.elasticsearch.http.HttpResponse;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.http.HttpStats;
import org.elasticsearch.indices.breaker.CircuitBreakerService;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.NetworkPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.AbstractRestChannel;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.ConnectTransportException;
import org.elasticsearch.transport.ConnectionProfile;
import org.elasticsearch.transport.RequestHandlerRegistry;
import org.elasticsearch.transport.Transport;
import org.elasticsearch.transport.TransportMessageListener;
import org.elasticsearch.transport.TransportRequest;
import org.elasticsearch.transport.TransportStats;

/**
 * A search server of one node for tests: Elasticsearch's own core (REST actions, mapping, indexing, search) behind the
 * JDK's HTTP server, on 127.0.0.1 alone.
 *
 * <p>The jar that carries the core has no network modules, so this file supplies the two that a node asks for: an HTTP
 * front, and a transport between nodes that reaches nobody. Everything else is Elasticsearch's.
 *
 * <p>Arguments: port (0: a free one), folder for data. Prints {@code ready <port>} on standard output; ends when its
 * standard input does, so that it never outlives who started it.
 */
public final class SearchServer {
    /** The service's limit on its smaller data nodes: 10 MiB a request. */
    private static final int MAX_BODY_BYTES = 10 * 1024 * 1024;

    public static void main(String[] args) throws Exception {
        Front.port = Integer.parseInt(args[0]);
        Path home = Path.of(args[1]).toAbsolutePath();
        Settings settings =
                Settings.builder()
                        .put("path.home", home.toString())
                        .put("cluster.name", "tests")
                        .put("node.name", "tests")
                        .put("discovery.type", "single-node")
                        .put("transport.type", "none")
                        .put("http.type", "jdk")
                        .put("http.max_content_length", MAX_BODY_BYTES + "b")
                        .put("cluster.routing.allocation.disk.threshold_enabled", false)
                        .build();
        Node node = new TestNode(settings);
        node.start();
        System.out.println("ready " + Front.port);
        System.out.flush();
        while (System.in.read() != -1) {
            // Nothing is said on standard input: only its end counts.
        }
        node.close();
    }

    private static final class TestNode extends Node {
        TestNode(Settings settings) {
            super(
                    InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "tests"),
                    List.of(NetworkModules.class),
                    false);
        }
    }

    /** The two network modules, as a node finds them: in a plug-in. */
    public static final class NetworkModules extends Plugin implements NetworkPlugin {
        @Override
        public Map<String, Supplier<Transport>> getTransports(
                Settings settings,
                ThreadPool threads,
                PageCacheRecycler recycler,
                CircuitBreakerService breakers,
                NamedWriteableRegistry writeables,
                NetworkService network) {
            return Map.of("none", NoTransport::new);
        }

        @Override
        public Map<String, Supplier<HttpServerTransport>> getHttpTransports(
                Settings settings,
                ThreadPool threads,
                BigArrays arrays,
                PageCacheRecycler recycler,
                CircuitBreakerService breakers,
                NamedXContentRegistry contents,
                NetworkService network,
                HttpServerTransport.Dispatcher dispatcher) {
            return Map.of("jdk", () -> new Front(threads, contents, dispatcher));
        }
    }

    private static BoundTransportAddress loopback(int port) {
        TransportAddress address = new TransportAddress(InetAddress.getLoopbackAddress(), port);
        return new BoundTransportAddress(new TransportAddress[] {address}, address);
    }

    /** HTTP to Elasticsearch's dispatcher and back. */
    private static final class Front extends AbstractLifecycleComponent implements HttpServerTransport {
        static int port;

        private final ThreadPool threads;
        private final NamedXContentRegistry contents;
        private final Dispatcher dispatcher;
        private final ExecutorService workers =
                Executors.newCachedThreadPool(
                        task -> {
                            Thread thread = new Thread(task, "http");
                            thread.setDaemon(true);
                            return thread;
                        });
        private HttpServer server;

        Front(ThreadPool threads, NamedXContentRegistry contents, Dispatcher dispatcher) {
            this.threads = threads;
            this.contents = contents;
            this.dispatcher = dispatcher;
        }

        @Override
        protected void doStart() {
            try {
                server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
            } catch (IOException taken) {
                throw new IllegalStateException("port " + port, taken);
            }
            port = server.getAddress().getPort();
            server.createContext("/", this::handle);
            server.setExecutor(workers);
            server.start();
        }

        private void handle(HttpExchange exchange) throws IOException {
            byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
            if (body.length > MAX_BODY_BYTES) {
                exchange.getRequestBody().close();
                exchange.sendResponseHeaders(413, -1);
                exchange.close();
                return;
            }
            RestRequest.Method method;
            try {
                method = RestRequest.Method.valueOf(exchange.getRequestMethod().toUpperCase(Locale.ROOT));
            } catch (IllegalArgumentException unknown) {
                exchange.sendResponseHeaders(405, -1);
                exchange.close();
                return;
            }
            Request received =
                    new Request(
                            method,
                            exchange.getRequestURI(),
                            exchange.getRequestHeaders(),
                            new BytesArray(body));
            try (var ignored = threads.getThreadContext().stashContext()) {
                RestRequest request;
                try {
                    request = RestRequest.request(contents, received, null);
                } catch (RuntimeException malformed) {
                    request = RestRequest.requestWithoutParameters(contents, received.removeHeader("Content-Type"), null);
                    dispatcher.dispatchBadRequest(
                            request, new Channel(request, exchange), threads.getThreadContext(), malformed);
                    return;
                }
                dispatcher.dispatchRequest(request, new Channel(request, exchange), threads.getThreadContext());
            }
        }

        @Override
        protected void doStop() {
            server.stop(0);
            workers.shutdownNow();
        }

        @Override
        protected void doClose() {}

        @Override
        public BoundTransportAddress boundAddress() {
            return loopback(port);
        }

        @Override
        public HttpInfo info() {
            return new HttpInfo(boundAddress(), MAX_BODY_BYTES);
        }

        @Override
        public HttpStats stats() {
            return new HttpStats(0, 0);
        }
    }

    private static final class Channel extends AbstractRestChannel {
        private final HttpExchange exchange;

        Channel(RestRequest request, HttpExchange exchange) {
            super(request, true);
            this.exchange = exchange;
        }

        @Override
        public void sendResponse(RestResponse response) {
            BytesRef content = response.content().toBytesRef();
            boolean head = request.method() == RestRequest.Method.HEAD;
            try (exchange) {
                exchange.getResponseHeaders().set("Content-Type", response.contentType());
                exchange.sendResponseHeaders(
                        response.status().getStatus(), head || content.length == 0 ? -1 : content.length);
                if (!head && content.length > 0) {
                    try (OutputStream out = exchange.getResponseBody()) {
                        out.write(content.bytes, content.offset, content.length);
                    }
                }
            } catch (IOException gone) {
                // The client did not wait for the answer.
            }
        }
    }

    private static final class Request implements HttpRequest {
        private final RestRequest.Method method;
        private final URI uri;
        private final Map<String, List<String>> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        private final BytesReference content;

        Request(RestRequest.Method method, URI uri, Map<String, List<String>> headers, BytesReference content) {
            this.method = method;
            this.uri = uri;
            this.headers.putAll(headers);
            this.content = content;
        }

        @Override
        public RestRequest.Method method() {
            return method;
        }

        @Override
        public String uri() {
            return uri.toString();
        }

        @Override
        public BytesReference content() {
            return content;
        }

        @Override
        public Map<String, List<String>> getHeaders() {
            return headers;
        }

        @Override
        public List<String> strictCookies() {
            return List.of();
        }

        @Override
        public HttpVersion protocolVersion() {
            return HttpVersion.HTTP_1_1;
        }

        @Override
        public HttpRequest removeHeader(String header) {
            Request rest = new Request(method, uri, headers, content);
            rest.headers.remove(header);
            return rest;
        }

        @Override
        public HttpResponse createResponse(RestStatus status, BytesReference answer) {
            throw new UnsupportedOperationException("Channel writes answers");
        }
    }

    /** One node has nobody to talk to. */
    private static final class NoTransport extends AbstractLifecycleComponent implements Transport {
        private final Map<String, RequestHandlerRegistry<? extends TransportRequest>> handlers =
                ConcurrentCollections.newConcurrentMap();
        private final ResponseHandlers responses = new ResponseHandlers();

        @Override
        public <R extends TransportRequest> void registerRequestHandler(RequestHandlerRegistry<R> handler) {
            handlers.put(handler.getAction(), handler);
        }

        @Override
        public RequestHandlerRegistry<? extends TransportRequest> getRequestHandler(String action) {
            return handlers.get(action);
        }

        @Override
        public void addMessageListener(TransportMessageListener listener) {}

        @Override
        public boolean removeMessageListener(TransportMessageListener listener) {
            return false;
        }

        @Override
        public BoundTransportAddress boundAddress() {
            return loopback(1);
        }

        @Override
        public Map<String, BoundTransportAddress> profileBoundAddresses() {
            return Map.of();
        }

        @Override
        public TransportAddress[] addressesFromString(String address, int limit) {
            return new TransportAddress[0];
        }

        @Override
        public List<String> getLocalAddresses() {
            return List.of();
        }

        @Override
        public Releasable openConnection(
                DiscoveryNode node, ConnectionProfile profile, ActionListener<Connection> listener) {
            listener.onFailure(new ConnectTransportException(node, "there is one node"));
            return () -> {};
        }

        @Override
        public TransportStats getStats() {
            return new TransportStats(0, 0, 0, 0, 0);
        }

        @Override
        public ResponseHandlers getResponseHandlers() {
            return responses;
        }

        @Override
        protected void doStart() {}

        @Override
        protected void doStop() {}

        @Override
        protected void doClose() {}
    }
}
